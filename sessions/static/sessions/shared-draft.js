/**
 * The draft of the chat that is shown, the same on every device of the person.
 *
 * Each write names the version that this tab has seen. A text of another device is taken over while nothing is being
 * written here; two that were written at once are joined, so that none is lost.
 */

import { keep, keptJson } from "../transport/storage.js";

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
   *   field: Field, storage: Storage|null, clock: import("../transport/clock.js").Clock, joined: () => void}} options
   *   joined: the texts of two devices stand here now
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
    if (sessionId && this.#isChanged) this.#plan();
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
    const mine = field.text;
    this.#hold(theirs);
    if (theirs.text === this.#options.field.text || mine.includes(theirs.text)) return;
    field.replace(theirs.text.includes(mine) ? theirs.text : `${mine}\n\n${theirs.text}`);
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
    if (!id || text === null || text === this.#held.text) return;
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
    } catch (error) {
      const { code, body } = /** @type {any} */ (error);
      // Where the server is not reached, the tab keeps the text, and the next change tries again.
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

function storageKey(sessionId) {
  return `backstay.sharedDraft.${sessionId}`;
}
