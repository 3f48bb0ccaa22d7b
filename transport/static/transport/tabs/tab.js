/** A tab by itself: the sessions that it shows with their cursors, whether it is in sight, and its voice. */

import { Cursors } from "../cursors.js";
import { noStatus } from "../stream.js";

/** The same hole is reported again only after this time. */
const REPAIR_PAUSE_MS = 2_000;

export class Tab {
  cursors = new Cursors();
  isVisible = true;
  /** @type {BroadcastChannel|null} to the other tabs; null: this one is alone */
  channel = null;
  /** @type {import("../stream.js").StreamStatus} */
  status = noStatus();
  #options;
  /** @type {Map<string, number>} when a hole of a session was last reported */
  #reported = new Map();
  /** @type {Map<string, string|null>} by session: the connection whose catch-up of it has ended */
  #caughtUp = new Map();

  /**
   * @param {{id: string, clock: import("../clock.js").Clock, onFrame: (frame: any) => void,
   *   onStatus: (status: import("../stream.js").StreamStatus) => void, importance: (sessionId: string) => number}} options
   */
  constructor(options) {
    this.#options = options;
    this.id = options.id;
    this.clock = options.clock;
  }

  /** A word to the other tabs. */
  say(message) {
    this.channel?.postMessage({ ...message, from: this.id });
  }

  /** @param {Partial<import("../stream.js").StreamStatus>} change */
  setStatus(change) {
    this.status = { ...this.status, ...change };
    this.#options.onStatus(this.status);
  }

  /** The sessions that this tab watches, with their cursors. @returns {{visible: boolean, sessions: any[]}} */
  get wish() {
    const { importance } = this.#options;
    const sessions = this.cursors.entries().map(([id, cursor]) => [id, cursor, importance(id)]);
    return { visible: this.isVisible, sessions };
  }

  /** Sessions without a snapshot: theirs may have been asked for over a connection that broke. */
  get missing() {
    const entries = this.cursors.entries().filter(([, cursor]) => cursor === null);
    return entries.map(([sessionId]) => sessionId);
  }

  /**
   * Judges a frame by this tab's own cursors, and hands it on.
   * @returns {{sessionId: string, cursor: number}|null} a hole to be filled
   */
  take(frame) {
    const { sessionId, type } = frame;
    const verdict = this.cursors.accept(frame);
    if (verdict === "gap") return this.#report(sessionId);
    if (verdict === "drop") return null;
    if (type === "watch_rejected") this.cursors.untrack(sessionId);
    if (type === "session_snapshot") this.#caughtUp.set(sessionId, this.status.connectionId);
    this.#options.onFrame(frame);
    return null;
  }

  /** The connection that has caught up with a session; null: the one of now has not yet. @param {string} sessionId */
  caughtUpBy(sessionId) {
    const { connectionId } = this.status;
    return this.#caughtUp.get(sessionId) === connectionId ? connectionId : null;
  }

  /** Begins to watch a session, or ends it: its catch-up is another one then. @param {string} sessionId */
  forgetCatchUp(sessionId) {
    this.#caughtUp.delete(sessionId);
  }

  #report(sessionId) {
    const now = this.clock.now();
    if (now - (this.#reported.get(sessionId) ?? -Infinity) < REPAIR_PAUSE_MS) return null;
    this.#reported.set(sessionId, now);
    return { sessionId, cursor: this.cursors.get(sessionId) ?? 0 };
  }
}
