/**
 * The conversation that is shown: draws what the store and the outbox hold, at most once per frame, and
 * loads what is not held yet.
 */

import { Composer } from "./composer.js";
import { byId, setText } from "./dom.js";
import { itemsOf } from "./items.js";
import { Permissions } from "./permissions.js";
import { Transcript } from "./render.js";
import { emptyView, stoppable } from "./store.js";
import { activityOf, usageText } from "./text.js";

/** Older messages are asked for when the first one is this near. */
const NEAR_TOP_PX = 600;
const EVENTS_PAGE = 200;

/** A prompt that will not go out by itself. @param {any} entry of the outbox */
export function isUnsent(entry) {
  return entry.state === "failed" || entry.state === "evicted";
}

/** A skeleton that flashes for a moment is worse than none. */
const SKELETON_AFTER_MS = 250;

export class Conversation {
  #options;
  /** @type {string|null} */
  #sessionId = null;
  /** @type {string|null} a chat that has no session yet */
  #draftId = null;
  #frame = 0;
  /** @type {{clientMsgId: string, turnId: string|null}|null} what the Stop button that is drawn would end */
  #target = null;
  /** @type {string|null} the prompt that was asked to stop */
  #stopping = null;
  #olderFailed = false;
  #shownAt = 0;

  /**
   * @param {{store: import("./store.js").Store, outbox: any, api: any, actions: any, serverNow: () => number,
   *   submit: (text: string) => boolean, retry: (id: string) => void, storage: Storage|null, userId: string|number, historyPage: number,
   *   modesLearnt: (agent: string, modes: any[]) => void, agentLabel: (name: string) => string,
   *   isAsked: () => boolean}} options isAsked: whether any chat waits for a decision
   */
  constructor(options) {
    this.#options = options;
    this.transcript = new Transcript(
      byId("scroll"),
      byId("transcript"),
      {
        retry: options.retry,
        discard: (id) => options.outbox.discard(id),
        again: (text) => this.composer.offer(text),
        loadSkip: (id) => this.#loadSkip(id),
      },
      (following) => {
        byId("jump").hidden = following;
      },
    );
    this.permissions = new Permissions(byId("permissions"), (request, optionId) =>
      options.actions.answer(this.#sessionId, request, optionId),
    );
    this.composer = new Composer(
      { form: byId("composer"), text: byId("prompt"), send: byId("send"), stop: byId("stop") },
      {
        submit: (text) => this.#submit(text),
        interrupt: () => this.#stop("interrupt"),
        stop: () => this.#stop("stop"),
        last: () => this.#lastPrompt(),
      },
      options.storage,
    );
    byId("jump").addEventListener("click", () => this.jump());
    byId("older-retry").addEventListener("click", () => this.#loadOlder());
    byId("scroll").addEventListener("scroll", () => this.#maybeLoadOlder(), { passive: true });
    byId("mode").addEventListener("change", () =>
      options.actions.setMode(this.#sessionId, byId("mode").value, () => this.schedule()),
    );
  }

  get sessionId() {
    return this.#sessionId;
  }

  get draftId() {
    return this.#draftId;
  }

  /** @param {{sessionId?: string|null, draftId?: string|null}} what a session, or a chat that has none yet */
  show({ sessionId = null, draftId = null }) {
    const isSame = sessionId !== null && sessionId === this.#sessionId;
    const isAdopted =
      sessionId !== null &&
      this.#sessionId === null &&
      this.#options.outbox.sessionOf(this.#draftId) === sessionId;
    this.#sessionId = sessionId;
    this.#draftId = draftId;
    this.#stopping = null;
    this.#olderFailed = false;
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

  /** What could not be loaded without a line is tried again. */
  lineIsBack() {
    this.#olderFailed = false;
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
    this.permissions.draw(view.snapshot.permissions, this.#options.serverNow());
    this.#drawStage(view, pending);
    this.#drawHeader(view);
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
    byId("gone").hidden = !view.rejected || view.ready;
    const isWaiting =
      !isDraft && !view.ready && !view.rejected && Date.now() - this.#shownAt > SKELETON_AFTER_MS;
    byId("loading").hidden = !isWaiting || pending.length > 0;
    const older = byId("older");
    older.hidden = !view.ready || !snapshot.messages.length;
    setText(
      byId("older-text"),
      this.#olderFailed
        ? "Older messages could not be loaded."
        : snapshot.hasMore
          ? "Loading older messages"
          : "The beginning of this chat",
    );
    byId("older-retry").hidden = !this.#olderFailed;
  }

  #drawHeader({ snapshot, ready }) {
    const isDraft = !this.#sessionId;
    const title = isDraft ? "New chat" : snapshot.title || "New chat";
    setText(byId("title"), title);
    setText(
      byId("about"),
      isDraft || !ready
        ? ""
        : `${activityOf(snapshot.state, snapshot.runState)} · ${this.#options.agentLabel(snapshot.agent)}`,
    );
    byId("open-menu").hidden = isDraft;
    const mark =
      this.#options.isAsked() || snapshot.runState === "requires_action"
        ? "! "
        : snapshot.runState === "running"
          ? "… "
          : "";
    document.title = `${mark}${title} · Backstay`;
    const modes = snapshot.modes ?? [];
    if (modes.length) this.#options.modesLearnt(snapshot.agent, modes);
    byId("mode-field").hidden = isDraft || modes.length < 2;
    this.#drawModes(modes, snapshot.mode);
  }

  #drawModes(modes, mode) {
    const select = byId("mode");
    const wanted = JSON.stringify(modes);
    if (select.dataset.modes !== wanted) {
      select.dataset.modes = wanted;
      select.replaceChildren(...modes.map(({ id, label }) => new Option(label || id, id)));
    }
    if (document.activeElement !== select) select.value = mode ?? "";
  }

  #drawComposer({ snapshot, rejected, ready, stopping }) {
    this.#target = this.#sessionId ? stoppable(snapshot) : null;
    if (this.#stopping !== this.#target?.clientMsgId) this.#stopping = null;
    const isStopping =
      this.#stopping !== null || (stopping !== null && stopping === this.#target?.turnId);
    this.composer.draw({
      running: this.#target !== null,
      stopping: isStopping,
      disabled: Boolean(rejected) && !ready,
    });
    setText(byId("usage"), usageText(snapshot.usage));
  }

  // -- what a person does -----------------------------------------------------------------------

  #lastPrompt() {
    const logged = this.#options.store
      .get(this.#sessionId ?? "")
      ?.snapshot.messages.findLast((message) => message.role === "user");
    return (this.#pending().at(-1) ?? logged)?.text ?? "";
  }

  #submit(text) {
    if (!this.#options.submit(text)) return false;
    this.transcript.jumpToEnd();
    return true;
  }

  async #stop(name) {
    if (!this.#target || (name === "interrupt" && this.#stopping)) return; // asked already: the next step is the button's
    const { clientMsgId, turnId } = this.#target;
    this.#stopping = clientMsgId;
    this.schedule();
    const worked = await this.#options.actions[name](this.#sessionId, turnId);
    if (!worked && this.#stopping === clientMsgId) this.#stopping = null;
    this.schedule();
  }

  // -- loading ----------------------------------------------------------------------------------

  #maybeLoadOlder() {
    if (byId("scroll").scrollTop < NEAR_TOP_PX && !this.#olderFailed) this.#loadOlder();
  }

  async #loadOlder() {
    const sessionId = this.#sessionId;
    const view = sessionId && this.#options.store.get(sessionId);
    if (
      !view?.ready ||
      !view.snapshot.hasMore ||
      view.loadingOlder ||
      view.snapshot.oldestSeq === null
    )
      return;
    this.#olderFailed = false;
    this.#options.store.update(sessionId, { loadingOlder: true });
    try {
      const page = await this.#options.api.messages(sessionId, {
        before: view.snapshot.oldestSeq,
        limit: this.#options.historyPage,
      });
      this.#options.store.prepend(sessionId, page);
    } catch {
      this.#options.store.update(sessionId, { loadingOlder: false });
      this.#olderFailed = sessionId === this.#sessionId;
    }
    this.schedule();
  }

  /** Reads the skipped events themselves, page by page, into the transcript. */
  async #loadSkip(skipId) {
    const sessionId = this.#sessionId;
    const { store, api } = this.#options;
    const skip = store.get(sessionId)?.skips.find((one) => one.id === skipId);
    if (!skip || skip.state === "loading" || skip.state === "loaded") return;
    let after = skip.from - 1 + skip.loaded;
    store.updateSkip(sessionId, skipId, { state: "loading" });
    this.schedule();
    try {
      for (let more = true; more;) {
        const page = await api.events(sessionId, { after, upto: skip.to, limit: EVENTS_PAGE });
        const now = store
          .fill(sessionId, skipId, page.events)
          ?.skips.find((one) => one.id === skipId);
        after = page.events.at(-1)?.seq ?? skip.to;
        more = now?.state === "loading" && page.events.length > 0;
        this.schedule();
      }
      await this.#learnMessages(sessionId, skip);
    } catch {
      store.updateSkip(sessionId, skipId, { state: "failed" });
    }
    this.schedule();
  }

  /** What became of the prompts in a skip may lie behind it, when they were not held, or in another one. */
  async #learnMessages(sessionId, { from, to }) {
    for (let before = to + 1; before > from;) {
      const page = await this.#options.api.messages(sessionId, {
        before,
        limit: this.#options.historyPage,
      });
      this.#options.store.learn(
        sessionId,
        page.messages.filter(({ seq }) => seq >= from),
      );
      before = page.hasMore ? page.messages[0].seq : 0;
    }
  }
}
