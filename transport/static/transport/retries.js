/** The waits between the connections of a stream. */

import { backoffMs } from "./clock.js";

/** A connection that turns out dead this soon after the page came back is replaced at once. */
const EAGER_MS = 3_000;
/** So often a connection is replaced at once before one has proved itself; then with delays. */
const MAX_AT_ONCE = 2;

export class Retries {
  /** Over so long the clients of this server come back when all of them lose it at once. */
  spreadMs = 0;
  #clock;
  #random;
  #attempt = 0;
  #atOnce = 0;
  #eagerUntil = 0;

  /** @param {import("./clock.js").Clock} clock @param {() => number} random */
  constructor(clock, random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Begins with the first delay again: a connection has proved itself. */
  forget() {
    this.#attempt = this.#atOnce = 0;
  }

  /** Begins with the first delay again: a person, or the network, has asked for a try. */
  hurried() {
    this.#attempt = 0;
  }

  /** The page has just come back: a connection that is lost now was dead before. */
  eager() {
    this.#eagerUntil = this.#clock.now() + EAGER_MS;
  }

  /**
   * @param {import("./connection.js").Loss} loss @param {boolean} wasLive
   * @returns {number} the wait before the next connection, in milliseconds
   */
  delayAfter({ atOnce = false, isOwn = false, atLeastMs = 0 }, wasLive) {
    const isEager = !atOnce && !atLeastMs && this.#clock.now() < this.#eagerUntil;
    if (isEager) this.#eagerUntil = 0;
    const isShared = wasLive && !isOwn && !isEager;
    const spread = isShared ? Math.round(this.#random() * this.spreadMs) : 0;
    const isAtOnce = isEager || (atOnce && this.#atOnce < MAX_AT_ONCE);
    const delay = isAtOnce ? 0 : backoffMs(this.#attempt, this.#random);
    if (isAtOnce) this.#atOnce += 1;
    else this.#attempt += 1;
    return Math.max(delay + spread, atLeastMs);
  }
}
