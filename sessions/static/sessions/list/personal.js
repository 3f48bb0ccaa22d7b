/** A person's own things of the chats: the draft and comments of the one shown, the marks of those that were read, pins. */

import { systemClock } from "../../transport/clock.js";
import { loadChatParts } from "../chat/chat-parts.js";
import { toast } from "../dialogs/toasts.js";

const READ_PAUSE_MS = 500;

export class Personal {
  #options;
  /** @type {import("../composer/shared-draft.js").SharedDraft|null} null before a chat with a session is shown */
  #draft = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #reading;
  /** @type {Map<string, number>} the changes that were heard, by chat */
  #versions = new Map();

  /**
   * @param {{api: any, composer: import("../composer/composer.js").Composer, sidebar: import("./sidebar.js").Sidebar,
   *   store: import("../log/store.js").Store, shown: () => string|null, tab: Storage|null, browser: Storage|null,
   *   comments: {told: (sessionId: string, version: number) => Promise<void>}}} options
   */
  constructor(options) {
    this.#options = options;
    const { composer } = options;
    composer.onWritten = () => this.#draft?.written();
    composer.onLeft = () => this.#draft?.left();
    composer.onShown = () => this.#show();
    addEventListener("pagehide", () => this.#draft?.flush());
    document.addEventListener("visibilitychange", () => this.read());
  }

  /** Another chat is shown: its draft is followed. */
  async #show() {
    const { api, composer, tab, browser, shown, sidebar } = this.#options;
    if (!this.#draft && shown()) {
      await loadChatParts(); // it tries again
      // Where it did not load, the draft stays in this tab until another chat asks again.
      const loaded = await import("../composer/shared-draft.js").catch(() => null);
      this.#draft ??=
        loaded &&
        new loaded.SharedDraft({
          ...{ api, storage: tab, browser, clock: systemClock, field: composer },
          joined: () => toast("Another device has written here, too: its text stands below yours."),
        });
    }
    this.#draft?.show(shown());
    this.listed(sidebar.rows); // they may have told a draft meanwhile
  }

  /** The list of chats is here. @param {import("./sidebar.js").Row[]} rows */
  listed(rows) {
    const row = rows.find(({ sessionId }) => sessionId === this.#options.shown());
    if (!row) return;
    this.#draft?.told(row.sessionId, row.draftVersion ?? 0);
    this.#options.comments.told(row.sessionId, row.commentsVersion ?? 0);
    if (row.isUnread) this.read();
  }

  /** A frame tells a change, of this device or another. @param {any} personal */
  heard({ sessionId, version, draft, draftVersion, commentsVersion, readSeq, pinnedAt }) {
    if (version <= (this.#versions.get(sessionId) ?? 0)) return;
    this.#versions.set(sessionId, version);
    const { sidebar, comments } = this.#options;
    this.#draft?.told(sessionId, draftVersion, draft);
    comments.told(sessionId, commentsVersion ?? 0);
    const row = sidebar.row(sessionId);
    if (!row) return;
    if (readSeq > (row.readSeq ?? 0)) sidebar.markRead(sessionId, readSeq);
    if (pinnedAt !== (row.pinnedAt ?? null)) sidebar.refresh();
  }

  /** Soon everything that is shown counts as read, if a person can see it. */
  read() {
    clearTimeout(this.#reading);
    this.#reading = setTimeout(() => this.#read(), READ_PAUSE_MS);
  }

  async #read() {
    const { api, store, shown, sidebar } = this.#options;
    const sessionId = shown();
    const view = sessionId ? store.get(sessionId) : null;
    if (!sessionId || !view?.ready || document.visibilityState !== "visible") return;
    const seq = view.snapshot.cursor;
    if (seq <= (sidebar.row(sessionId)?.readSeq ?? 0)) return;
    sidebar.markRead(sessionId, seq);
    await api.markRead(sessionId, seq).catch(() => {}); // the next answer marks it again
  }
}
