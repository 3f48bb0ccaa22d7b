/** Acknowledgements: the cursors that a client has applied, told to the server now and then. */

import { Timers } from "./clock.js";
import { isDone, isRefused } from "./commands.js";

/** Cursors are told at most this often. */
const ACK_MS = 3_000;

/** The acknowledgements of one connection. */
export class Acks {
  #options;
  #timers;
  /** @type {Map<string, number>} the cursor that the server has, by session */
  #told = new Map();
  #isTelling = false;
  #isOver = false;

  /**
   * @param {{command: ReturnType<typeof import("./commands.js").createCommands>, connectionId: string,
   *   cursors: import("./cursors.js").Cursors, clock: import("./clock.js").Clock, onUnknown: () => void}} options
   *   onUnknown: the server does not know the connection
   */
  constructor(options) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
  }

  /** The cursors are told within ACK_MS. */
  plan() {
    if (this.#isOver || this.#isTelling || this.#timers.has("tell")) return;
    this.#timers.set("tell", ACK_MS, () => this.#tell());
  }

  /** @param {string} sessionId one that is watched no more */
  forget(sessionId) {
    this.#told.delete(sessionId);
  }

  end() {
    this.#isOver = true;
    this.#timers.clear();
  }

  /** The cursors that the server may not have. */
  #news() {
    return this.#options.cursors
      .entries()
      .map(([sessionId, cursor]) => ({ sessionId, cursor: cursor ?? 0 }))
      .filter(({ sessionId, cursor }) => cursor > 0 && this.#told.get(sessionId) !== cursor);
  }

  /**
   * After the last event of a turn nothing more comes, so one that was lost is sent again: a receipt that says the
   * same or more can be repeated.
   */
  async #tell() {
    const news = this.#news();
    if (!news.length) return;
    const { command, connectionId, onUnknown } = this.#options;
    this.#isTelling = true;
    const answer = await command("ack", { sessions: news }, connectionId).catch(() => null);
    if (this.#isOver) return;
    this.#isTelling = false;
    if (answer?.body?.code === "unknown_connection") {
      onUnknown();
      return;
    }
    if (answer && (isDone(answer) || isRefused(answer)))
      news.forEach(({ sessionId, cursor }) => this.#told.set(sessionId, cursor));
    if (this.#news().length) this.plan();
  }
}
