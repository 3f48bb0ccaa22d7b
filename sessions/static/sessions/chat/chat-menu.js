/** The menu of a chat. Its acts are loaded when it is opened. */

import { byId } from "../elements/dom.js";
import { notLoaded } from "../dialogs/toasts.js";

export class ChatMenu {
  #options;

  /** @type {import("./chat-acts.js").ChatActs|null} */
  #acts = null;

  /** @type {import("./find.js").Find|null} */
  #find = null;
  /** @type {import("./elsewhere.js").Elsewhere|null} */
  #elsewhere = null;
  /** @type {import("../list/archived-bar.js").ArchivedBar|null} */
  #archivedBar = null;
  /** @type {string|null} the chat that was drawn with its messages last */
  #drawn = null;

  /** @param {import("./chat-acts.js").Options} options */
  constructor(options) {
    this.#options = options;
    byId("open-menu").addEventListener("click", () => this.#openForShown());
    byId("show-archived").addEventListener("click", async () => {
      const archived = await import("../list/archived.js").catch(notLoaded);
      archived?.showArchived(options);
    });
    byId("sessions").addEventListener("dblclick", (event) => {
      const row = options.sidebar.row(event.target.closest(".row")?.dataset.session);
      if (row) this.#loaded().then((acts) => acts?.rename(row));
    });
  }

  /** @param {import("../list/sidebar.js").Row} row @param {HTMLElement} anchor */
  async open(row, anchor) {
    (await this.#loaded())?.open(row, anchor);
  }

  /** Opens the box that finds in the chat that is shown. */
  async find() {
    const { api, conversation } = this.#options;
    if (!conversation.sessionId) return;
    const loaded = await import("./find.js").catch(notLoaded);
    if (loaded) (this.#find ??= new loaded.Find({ api, conversation })).open();
  }

  /** The list of chats has come: the chat that is shown may have left it, or may be back. */
  async listed() {
    const { sidebar } = this.#options;
    if (!this.#archivedBar && (!this.#drawn || !sidebar.lacks(this.#drawn))) return;
    const loaded = await import("../list/archived-bar.js").catch(() => null); // the next list tries again
    if (!loaded) return;
    this.#archivedBar ??= new loaded.ArchivedBar(this.#options);
    this.#archivedBar.look();
  }

  /** A chat was drawn. @param {string|null} sessionId */
  async drawn(sessionId) {
    this.#find?.drawn(sessionId);
    if (sessionId === this.#drawn) return;
    this.#archivedBar?.turn();
    const { api, conversation, store } = this.#options;
    const view = sessionId ? store.get(sessionId) : null;
    if (sessionId && !view?.ready) return;
    this.#drawn = sessionId;
    const { messages = [], state = "", turn = null, queue = [] } = view?.snapshot ?? {};
    if (!turn && !queue.length) this.listed();
    const isImported = state === "ENDED" && messages.some(({ imported }) => imported);
    if (isImported && !this.#elsewhere) {
      const loaded = await import("./elsewhere.js").catch(notLoaded);
      this.#elsewhere = loaded && new loaded.Elsewhere({ api, conversation });
    }
    if (sessionId === this.#drawn) this.#elsewhere?.show(isImported);
  }

  #openForShown() {
    const { conversation, sidebar, store } = this.#options;
    const { sessionId } = conversation;
    if (!sessionId) return;
    const row = sidebar.row(sessionId) ?? { ...store.get(sessionId)?.snapshot, sessionId };
    this.open(/** @type {any} */ (row), byId("open-menu"));
  }

  async #loaded() {
    const loaded = await import("./chat-acts.js").catch(notLoaded);
    return (
      loaded && (this.#acts ??= new loaded.ChatActs({ ...this.#options, find: () => this.find() }))
    );
  }
}
