/**
 * The draft of the chat that is shown, the same on every device of the person.
 *
 * Each write names the version that this tab has seen. A text of another device is taken over while nothing is being
 * written here; two that were written at once are joined, so that none is lost.
 *
 * The browser has a copy of a text from the moment of its write until the server has it. A tab that shows the chat later
 * takes the copy over, so that a text does not go with a tab that is closed while the server is away.
 */

import { keep, keptJson } from "../../transport/browser/storage.js";

const PAUSE_MS = 1_000;

/**
 * @typedef {{version: number, text: string}} Held the draft of the server, as this tab knows it
 * @typedef {{text: string, isWriting: boolean, replace: (text: string) => void}} Field isWriting: a person types in it
 */

export class SharedDraft {
  #options;
  /** @type {string|null} */
  #sessionId = null;
  /** @type {Held} */
  #held = { version: 0, text: "" };
  /** @type {Held|null} a newer one that waits until nothing is being written */
  #newer = null;
  #timer = null;
  #taking = null;
  /** @type {string|null} the text that waits to be written */
  #waiting = null;
  #isBusy = false;

  /**
   * @param {{api: {personal: (id: string) => Promise<any>, putDraft: (id: string, draft: Held) => Promise<any>},
   *   field: Field, storage: Storage|null, browser: Storage|null, clock: import("../../transport/clock.js").Clock, joined: () => void}} options
   *   storage: the tab's; browser: that of all tabs; joined: the texts of two devices stand here now
   */
  constructor(options) {
    this.#options = options;
  }

  /** Another chat is shown, its field filled from this tab. @param {string|null} sessionId */
  show(sessionId) {
    this.flush(); // the text of the chat that was shown
    this.#sessionId = sessionId;
    this.#newer = null;
    const kept = sessionId && keptJson(this.#options.storage, storageKey(sessionId));
    this.#held = kept ?? { version: 0, text: "" };
    if (sessionId) this.#takeLeft(sessionId, kept !== null);
    if (sessionId && this.#isChanged) this.#plan();
  }

  /** Takes the text of a tab that could not write it. @param {string} sessionId @param {boolean} hasHeld of its own */
  #takeLeft(sessionId, hasHeld) {
    const left = keptJson(this.#options.browser, leftKey(sessionId));
    if (!left) return;
    if (!hasHeld) this.#hold({ version: left.version, text: left.base });
    const { field } = this.#options;
    const text = joinedText(field.text, left.text);
    if (text !== field.text) field.replace(text);
  }

  /** The copy for other tabs, while the server does not have this text. @param {string} sessionId @param {string} text */
  #leave(sessionId, text) {
    const { version, text: base } = this.#held;
    const left = text && text !== base ? JSON.stringify({ version, base, text }) : null;
    keep(this.#options.browser, leftKey(sessionId), left);
  }

  /** The person writes. */
  written() {
    if (this.#sessionId) this.#plan(this.#options.field.text ? PAUSE_MS : 0);
  }

  /** The field has lost the focus. */
  left() {
    this.#takeNewer();
    this.flush();
  }

  /** Writes now, where something waits to be written. */
  flush() {
    if (this.#timer === null) return;
    this.#options.clock.clearTimeout(this.#timer);
    this.#write();
  }

  /** The server tells a version of a chat's draft. @param {string} sessionId @param {number} version @param {string|null} [draft] */
  async told(sessionId, version, draft = null) {
    if (sessionId !== this.#sessionId || version <= this.#held.version) return;
    if (this.#isBusy) return; // this tab's own write, or one that its answer will tell
    const text = draft ?? (await this.#read(sessionId));
    if (text === null || sessionId !== this.#sessionId || version <= this.#held.version) return;
    this.#newer = { version, text };
    this.#takeWhenIdle();
  }

  #takeWhenIdle() {
    const { field, clock } = this.#options;
    clock.clearTimeout(this.#taking);
    if (field.isWriting) this.#taking = clock.setTimeout(() => this.#takeWhenIdle(), PAUSE_MS);
    else this.#takeNewer();
  }

  get #isChanged() {
    return this.#options.field.text !== this.#held.text;
  }

  #takeNewer() {
    const newer = this.#newer;
    this.#newer = null;
    if (!newer || newer.version <= this.#held.version) return;
    const wasChanged = this.#isChanged;
    if (wasChanged) return this.#join(newer);
    this.#hold(newer);
    this.#options.field.replace(newer.text);
    return undefined;
  }

  /** Both texts stand here, unless one has the other in it. @param {Held} theirs */
  #join(theirs) {
    const { field, joined } = this.#options;
    this.#hold(theirs);
    const text = joinedText(field.text, theirs.text);
    if (text === field.text) return;
    field.replace(text);
    joined();
  }

  #hold(held) {
    this.#held = held;
    if (this.#sessionId)
      keep(this.#options.storage, storageKey(this.#sessionId), JSON.stringify(held));
  }

  #plan(ms = PAUSE_MS) {
    const { clock, field } = this.#options;
    this.#waiting = field.text;
    clock.clearTimeout(this.#timer);
    this.#timer = clock.setTimeout(() => this.#write(), ms);
  }

  async #write() {
    this.#timer = null;
    const id = this.#sessionId;
    const text = this.#waiting;
    if (!id || text === null) return;
    this.#leave(id, text); // at once: the page may be gone before an answer
    if (text === this.#held.text) return;
    if (this.#isBusy) return this.#plan();
    this.#waiting = null;
    this.#isBusy = true;
    /** @type {Held|null} */
    let conflict = null;
    try {
      const { personal } = await this.#options.api.putDraft(id, {
        text,
        version: this.#held.version,
      });
      if (id === this.#sessionId) this.#hold({ version: personal.draftVersion, text });
      keep(this.#options.browser, leftKey(id), null);
    } catch (error) {
      const { code, body } = /** @type {any} */ (error);
      // Where the server is not reached, the browser keeps the text, and the next change tries again.
      if (code === "version_conflict") conflict = { version: body.version, text: body.draft };
    } finally {
      this.#isBusy = false;
    }
    if (!conflict || id !== this.#sessionId) return undefined;
    this.#join(conflict);
    if (this.#isChanged) this.#plan();
    return undefined;
  }

  async #read(sessionId) {
    try {
      return (await this.#options.api.personal(sessionId)).personal.draft;
    } catch {
      return null; // the next list of chats tells it again
    }
  }
}

/** Both texts, or the one that has the other in it. */
function joinedText(mine, theirs) {
  if (mine.includes(theirs)) return mine;
  return theirs.includes(mine) ? theirs : `${mine}\n\n${theirs}`;
}

function leftKey(sessionId) {
  return `backstay.draft.left.${sessionId}`;
}

function storageKey(sessionId) {
  return `backstay.sharedDraft.${sessionId}`;
}
