/** The conversation that is shown: draws the contents of the store and the outbox, at most once per frame. */

import { Composer } from "./composer.js";
import { byId, setText } from "./dom.js";
import { Header } from "./header.js";
import { History } from "./history.js";
import { itemsOf } from "./items.js";
import { Permissions } from "./permissions.js";
import { Stopping } from "./stopping.js";
import { Transcript } from "./transcript.js";
import { emptyView } from "./store.js";
import { goneText, isUnsent, usageText } from "./text.js";

/** Older messages are loaded when the first one is this near. */
const NEAR_TOP_PX = 600;

/** A skeleton that flashes for a moment is worse than none. */
const SKELETON_AFTER_MS = 250;

const OLDER = {
  failed: "Older messages could not be loaded.",
  loading: "Loading older messages",
  none: "The beginning of this chat",
};

export class Conversation {
  #options;
  /** @type {string|null} */
  #sessionId = null;
  /** @type {string|null} a chat that has no session yet */
  #draftId = null;
  #frame = 0;
  #shownAt = 0;

  /**
   * @param {{store: import("./store.js").Store, outbox: any, api: any, actions: any, serverNow: () => number,
   *   submit: (text: string) => void, retry: (id: string) => void, storage: Storage|null,
   *   userId: string|number, historyPage: number, modesLearnt: (agent: string, modes: any[]) => void,
   *   agentLabel: (name: string) => string, isAsked: () => boolean}} options
   *   isAsked: whether any chat waits for a decision
   */
  constructor(options) {
    this.#options = options;
    const changed = () => this.schedule();
    const { store, api, actions, historyPage } = options;
    this.history = new History({ store, api, page: historyPage, changed });
    this.stopping = new Stopping({ actions, changed });
    this.header = new Header({
      ...options,
      setMode: (mode) => actions.setMode(this.#sessionId, mode, changed),
    });
    this.transcript = new Transcript(
      byId("scroll"),
      byId("transcript"),
      {
        retry: options.retry,
        now: options.serverNow,
        discard: (id) => options.outbox.discard(id),
        again: (text) => this.composer.offer(text),
        loadSkip: (id) => this.history.loadSkip(this.#sessionId, id),
      },
      (following) => {
        byId("jump").hidden = following;
      },
    );
    this.permissions = new Permissions(byId("permissions"), actions.answer);
    this.composer = new Composer(
      { form: byId("composer"), text: byId("prompt"), send: byId("send"), stop: byId("stop") },
      {
        submit: (text) => this.#submit(text),
        interrupt: () => this.stopping.interrupt(),
        stop: () => this.stopping.force(),
        last: () => this.#lastPrompt(),
      },
      options.storage,
    );
    byId("jump").addEventListener("click", () => this.jump());
    byId("older-retry").addEventListener("click", () => this.history.loadOlder(this.#sessionId));
    byId("scroll").addEventListener("scroll", () => this.#maybeLoadOlder(), { passive: true });
  }

  get sessionId() {
    return this.#sessionId;
  }

  get draftId() {
    return this.#draftId;
  }

  /** @param {{sessionId?: string|null, draftId?: string|null}} chat a session, or a chat that has none yet */
  show({ sessionId = null, draftId = null }) {
    const isSame = sessionId !== null && sessionId === this.#sessionId;
    const isAdopted =
      sessionId !== null &&
      this.#sessionId === null &&
      this.#options.outbox.sessionOf(this.#draftId) === sessionId;
    this.#sessionId = sessionId;
    this.#draftId = draftId;
    this.stopping.reset();
    this.history.forgetFailures();
    this.#shownAt = Date.now();
    if (!isSame && !isAdopted) this.transcript.clear();
    const key = `${this.#options.userId}.${sessionId ?? "new"}`;
    if (isAdopted) this.composer.rename(key);
    else if (!isSame) this.composer.show(key);
    this.draw();
    if (!isSame && !isAdopted && sessionId) this.transcript.jumpToEnd();
    setTimeout(() => this.schedule(), SKELETON_AFTER_MS + 10);
  }

  /** Draws with the next frame; however often it is asked, once. */
  schedule() {
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.draw());
  }

  /** Once a second: the clocks of open permissions. */
  tick() {
    if (this.permissions.open) this.permissions.tick(this.#options.serverNow());
  }

  /** Loads that failed without a connection may be tried again. */
  lineIsBack() {
    this.history.forgetFailures();
    this.schedule();
  }

  jump() {
    this.transcript.jumpToEnd();
    this.composer.focus();
  }

  // -- drawing ----------------------------------------------------------------------------------

  draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const pending = this.#pending();
    const held = this.#sessionId ? this.#options.store.get(this.#sessionId) : null;
    const view = held ?? emptyView(this.#sessionId ?? "");
    this.transcript.draw(itemsOf(view, pending));
    this.permissions.draw(
      view.snapshot.sessionId,
      view.snapshot.permissions,
      this.#options.serverNow(),
    );
    this.#drawStage(view, pending);
    this.header.draw(view, !this.#sessionId);
    this.#drawComposer(view);
    this.#maybeLoadOlder();
  }

  #pending() {
    const id = this.#sessionId;
    return this.#options.outbox.entries.filter((entry) =>
      id ? entry.sessionId === id : entry.draftId === this.#draftId && !entry.sessionId,
    );
  }

  #drawStage(view, pending) {
    const { snapshot } = view;
    const isDraft = !this.#sessionId;
    // A first prompt that was refused, perhaps for its folder: the choice is open again.
    const isNew = isDraft && pending.every(isUnsent);
    byId("new-chat-form").hidden = !isNew;
    this.transcript.holdTop(isNew);
    const isGone = Boolean(view.rejected) && !view.ready;
    byId("gone").hidden = !isGone;
    if (isGone) {
      const { title, text } = goneText(view.rejected);
      setText(byId("gone-title"), title);
      setText(byId("gone-text"), text);
    }
    const isWaiting =
      !isDraft && !view.ready && !view.rejected && Date.now() - this.#shownAt > SKELETON_AFTER_MS;
    byId("loading").hidden = !isWaiting || pending.length > 0;
    const older = byId("older");
    older.hidden = !view.ready || !snapshot.messages.length;
    const hasFailed = this.history.hasFailed(this.#sessionId);
    setText(
      byId("older-text"),
      hasFailed ? OLDER.failed : snapshot.hasMore ? OLDER.loading : OLDER.none,
    );
    byId("older-retry").hidden = !hasFailed;
  }

  #drawComposer(view) {
    const button = this.stopping.aim(this.#sessionId, view);
    this.composer.draw({ ...button, disabled: Boolean(view.rejected) && !view.ready });
    setText(byId("usage"), usageText(view.snapshot.usage));
  }

  // -- presses -----------------------------------------------------------------------------------

  #lastPrompt() {
    const logged = this.#options.store
      .get(this.#sessionId ?? "")
      ?.snapshot.messages.findLast((message) => message.role === "user");
    return (this.#pending().at(-1) ?? logged)?.text ?? "";
  }

  #submit(text) {
    this.#options.submit(text);
    this.transcript.jumpToEnd();
  }

  // -- loading ----------------------------------------------------------------------------------

  #maybeLoadOlder() {
    if (byId("scroll").scrollTop < NEAR_TOP_PX && !this.history.hasFailed(this.#sessionId)) {
      this.history.loadOlder(this.#sessionId);
    }
  }
}
