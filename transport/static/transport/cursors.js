/**
 * Cursors: which frame to apply, which to drop, and when something is missing. Pure bookkeeping.
 *
 * A cursor is the highest seq seen of a session; null means "watched, nothing seen yet".
 */

/** @typedef {"deliver"|"drop"|"gap"} Verdict */

export class Cursors {
  /** @type {Map<string, number|null>} */
  #at = new Map();
  /** @type {Map<string, number>} announced skips that begin at the cursor: session → their last seq */
  #skips = new Map();

  /** @param {string} sessionId @param {number|null} [cursor] */
  track(sessionId, cursor = null) {
    this.#at.set(sessionId, cursor);
    this.#skips.delete(sessionId);
  }

  untrack(sessionId) {
    this.#at.delete(sessionId);
    this.#skips.delete(sessionId);
  }

  /** Watches every session from its snapshot on. */
  forget() {
    for (const sessionId of this.#at.keys()) this.track(sessionId, null);
  }

  has(sessionId) {
    return this.#at.has(sessionId);
  }

  /** @returns {number|null|undefined} undefined: not tracked */
  get(sessionId) {
    return this.#at.get(sessionId);
  }

  /** @returns {[string, number|null][]} */
  entries() {
    return [...this.#at];
  }

  /**
   * Judges a frame and moves the cursor when the frame is to be applied.
   * @param {{type: string, sessionId?: string, seq?: number, [field: string]: any}} frame
   * @returns {Verdict}
   */
  accept(frame) {
    if (frame.sessionId === undefined) return "deliver";
    if (!this.#at.has(frame.sessionId)) return "drop";
    if (frame.type === "session_snapshot") return this.#acceptSnapshot(frame);
    if (frame.type === "replay_skipped") return this.#acceptSkip(frame);
    if (frame.seq === undefined) return "deliver";
    return this.#acceptEvent(frame.sessionId, frame.seq);
  }

  #acceptEvent(sessionId, seq) {
    const cursor = this.#at.get(sessionId) ?? null;
    if (cursor === null && seq !== 1) return "drop"; // its snapshot is on the way and contains it
    if (seq <= (cursor ?? 0)) return "drop";
    if (seq > (cursor ?? 0) + 1) return "gap";
    this.#at.set(sessionId, seq);
    return "deliver";
  }

  /** The cursor stays until the snapshot behind the skip is here: cut in between, the skip comes again. */
  /** @param {any} frame */
  #acceptSkip({ sessionId, from, to }) {
    const cursor = this.#at.get(sessionId) ?? 0;
    // One that begins further on answers an older cursor: the snapshot behind it is a hole here.
    if (from > cursor + 1 || to <= cursor || this.#skips.get(sessionId) === to) return "drop";
    this.#skips.set(sessionId, to);
    return "deliver";
  }

  /**
   * A full snapshot ahead of the cursor is taken after an announced skip alone: it may have been sent for
   * another tab of this browser, and what lies between would vanish without a word.
   * @param {any} frame
   */
  #acceptSnapshot({ sessionId, cursor, full, cursorInvalid }) {
    const mine = this.#at.get(sessionId) ?? null;
    if (mine === null && full === false) return "drop";
    if (mine !== null && !cursorInvalid) {
      if (cursor < mine) return "drop";
      const announced = Math.max(mine, this.#skips.get(sessionId) ?? 0);
      if (cursor > announced || (cursor > mine && full === false)) return "gap";
    }
    this.#skips.delete(sessionId);
    this.#at.set(sessionId, cursor);
    return "deliver";
  }
}
