/** The conversation that is shown: draws the contents of the store and the outbox, at most once per frame. */

import { ChatParts } from "./chat/chat-parts.js";
import { Composer } from "./composer/composer.js";
import { byId, setText } from "./elements/dom.js";
import { Header } from "./chat/header.js";
import { itemsOf } from "./log/items.js";
import { Jump } from "./scroll/jump.js";
import { pastPrompts } from "./page-parts.js";
import { Places } from "./scroll/place.js";
import { Stopping } from "./chat/stopping.js";
import { Transcript } from "./transcript/transcript.js";
import { drawStage, SKELETON_AFTER_MS } from "./transcript/stage.js";
import { emptyView } from "./log/store.js";
import { spentText } from "./words/counts.js";
import { isUnsent } from "./words/text.js";
import { itemsActions } from "./transcript/items-actions.js";

/** Older messages are loaded when the first one is this near. */
const NEAR_TOP_PX = 600;

export class Conversation {
  #options;
  /** @type {string|null} */
  #sessionId = null;
  /** @type {string|null} a chat that has no session yet */
  #draftId = null;
  #frame = 0;
  #shownAt = 0;
  #jump;
  #places;
  /** Whether a terminal has the chat open: it is read here alone. */
  isElsewhere = false;

  /**
   * @param {{store: import("./log/store.js").Store, outbox: any, api: any, actions: any, serverNow: () => number,
   *   submit: (text: string, isNow?: boolean) => void, retry: (id: string) => void, storage: Storage|null,
   *   files: import("./composer/attached.js").Attached,
   *   userId: string|number, historyPage: number, modesLearnt: (agent: string, modes: any[]) => void,
   *   agentLabel: (name: string) => string, isAsked: () => boolean, isStale: () => boolean, downFor: () => string,
   *   choice: () => {cwd: string|null, projectId: string|null}, projects: import("./new-chat/projects.js").Projects,
   *   shownRow: () => import("./list/sidebar-row.js").Row|null,
   *   onDrawn: (sessionId: string|null) => void}} options isAsked: whether any chat waits for a decision; downFor: since when the connection is down, as 0:12;
   *   choice: the folder of a new chat
   */
  constructor(options) {
    this.#options = options;
    const changed = () => this.schedule();
    const { api, actions } = options;
    const loadPart = (id, part, start) => api.block(this.#sessionId, id, { part, start });
    this.stopping = new Stopping({ actions, changed });
    this.header = new Header({
      ...options,
      setMode: (mode) => actions.setMode(this.#sessionId, mode, changed),
    });
    this.transcript = new Transcript(
      byId("scroll"),
      byId("transcript"),
      {
        ...itemsActions(options, this),
        send: (text) => this.#submit(text),
        loadPart,
      },
      () => this.schedule(),
    );
    const past = pastPrompts(options, this, () => this.#pending());
    this.parts = new ChatParts(
      {
        ...{ ...options, changed, loadPart },
        sessionId: () => this.#sessionId,
      },
      this,
    );
    this.composer = new Composer(
      { form: byId("composer"), text: byId("prompt"), send: byId("send"), stop: byId("stop") },
      {
        files: options.files,
        submit: (text, isNow) => this.#submit(text, isNow),
        interrupt: () => this.stopping.interrupt(),
        stop: () => this.stopping.force(),
        scroll: (key) => this.transcript.scroll(key),
        past,
      },
      options.storage,
    );
    byId("prompt").addEventListener("input", () => this.parts.load(), { once: true });
    this.#jump = new Jump(() => this.jump());
    this.#places = new Places(options.storage, options.userId);
    // A phone may end a hidden page without another word.
    document.addEventListener("visibilitychange", () => this.#rememberPlace());
    addEventListener("pagehide", () => this.#rememberPlace());
    byId("older-retry").addEventListener("click", () => this.history?.loadOlder(this.#sessionId));
    byId("scroll").addEventListener("scroll", () => this.#maybeLoadOlder(), { passive: true });
  }

  /** Null before the parts of a chat are loaded. */
  get history() {
    return this.parts.history;
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
    const isFirst = sessionId !== null && this.#sessionId === null;
    const isAdopted = isFirst && this.#options.outbox.sessionOf(this.#draftId) === sessionId;
    this.#rememberPlace();
    this.#sessionId = sessionId;
    this.#draftId = draftId;
    this.stopping.reset();
    this.history?.forgetFailures();
    this.#shownAt = Date.now();
    if (!isSame && !isAdopted) this.#beginAtPlace();
    if (sessionId) this.parts.load();
    const key = `${this.#options.userId}.${sessionId ?? "new"}`;
    if (isAdopted) this.composer.rename(key);
    else if (!isSame) this.composer.show(key);
    this.draw();
    setTimeout(() => this.schedule(), SKELETON_AFTER_MS + 10);
  }

  /** Draws with the next frame; however often it is asked, once. */
  schedule() {
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.draw());
  }

  /** Once a second: the clocks of open permissions. */
  tick() {
    this.parts.tick(this.#options.serverNow());
  }

  /** Loads that failed without a connection may be tried again. */
  lineIsBack() {
    this.history?.forgetFailures();
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
    const isLoaded = !this.#sessionId || this.parts.isLoaded;
    const held = this.#sessionId && isLoaded ? this.#options.store.get(this.#sessionId) : null;
    const view = held ?? emptyView(this.#sessionId ?? "");
    const isStale = this.#options.isStale();
    this.#drawStage(view, pending); // first: the place that is read counts from below it
    this.transcript.draw(itemsOf(view, pending, isStale));
    this.#jump.draw(view.snapshot, this.transcript);
    this.parts.draw(view.snapshot, this.#options.serverNow());
    this.header.draw(view, { isDraft: !this.#sessionId, isStale });
    this.#drawComposer(view, isStale);
    if (isLoaded) this.#maybeLoadOlder();
    this.#options.onDrawn(isLoaded ? this.#sessionId : null);
  }

  #pending() {
    const id = this.#sessionId;
    return this.#options.outbox.prompts.filter((entry) =>
      id ? entry.sessionId === id : entry.draftId === this.#draftId && !entry.sessionId,
    );
  }

  #drawStage(view, pending) {
    const isDraft = !this.#sessionId;
    // A first prompt that was refused, perhaps for its folder: the choice is open again.
    const isNew = isDraft && pending.every(isUnsent);
    this.transcript.holdTop(isNew);
    const hasFailed = Boolean(this.history?.hasFailed(this.#sessionId));
    const shownMs = Date.now() - this.#shownAt;
    drawStage(view, { isDraft, isNew, hasPending: pending.length > 0, hasFailed, shownMs });
  }

  #drawComposer(view, isStale) {
    const button = this.stopping.aim(this.#sessionId, view);
    const disabled = this.isElsewhere || (Boolean(view.rejected) && !view.ready);
    this.composer.draw({ ...button, isStale, disabled });
    setText(byId("usage"), spentText(view.snapshot));
  }

  // -- presses -----------------------------------------------------------------------------------

  #submit(text, isNow = false) {
    this.#options.submit(text, isNow);
    this.transcript.jumpToEnd();
  }

  // -- the place that is read --------------------------------------------------------------------

  #rememberPlace() {
    const { place } = this.transcript;
    if (this.#sessionId) this.#places.set(this.#sessionId, place, this.#jump.seen);
  }

  /** A chat is shown where it was left, or at its end. */
  #beginAtPlace() {
    this.transcript.clear();
    const kept = this.#sessionId ? this.#places.get(this.#sessionId) : null;
    this.#jump.seen = kept?.seen ?? null;
    this.transcript.lookFor(kept?.place ?? null);
  }

  #maybeLoadOlder() {
    if (this.history?.hasFailed(this.#sessionId)) return;
    const isNear = this.transcript.top < NEAR_TOP_PX;
    if (isNear || this.transcript.isLooking) this.history?.loadOlder(this.#sessionId);
  }
}
