/** A pause of the outbox: until the next try, the next connection or the next log-in. */

import { backoffMs } from "./clock.js";

/** After an unknown connection the new stream is waited for, but not for ever: a prompt may go without one. */
const RECONNECT_WAIT_MS = 30_000;

export class Pause {
  /** @type {null|"retry"|"connection"|"login"} null: no pause */
  why = null;
  #options;
  #attempt = 0;
  #timer = null;
  #isOrdered = false; // by Retry-After: nothing shortens it
  /** @type {string|null} */
  #staleConnection = null;

  /** @param {{clock: import("./clock.js").Clock, random: () => number, onEnd: () => void}} options */
  constructor(options) {
    this.#options = options;
  }

  /** The next try is the first one again: a prompt has got its answer, or was evicted. */
  forget() {
    this.#attempt = 0;
  }

  /** Until the delay whose turn it is has passed. @param {number} atLeastMs Retry-After */
  retry(atLeastMs = 0) {
    const ms = Math.max(backoffMs(this.#attempt, this.#options.random), atLeastMs);
    this.#attempt += 1;
    this.#begin("retry", ms);
    this.#isOrdered = atLeastMs > 0;
  }

  /** Until another connection than this one is live. @param {string|null} connectionId */
  connection(connectionId) {
    this.#staleConnection = connectionId;
    this.#begin("connection", RECONNECT_WAIT_MS);
  }

  /** Until the same person is logged in again. */
  login() {
    this.#begin("login", null);
  }

  end() {
    this.#options.clock.clearTimeout(this.#timer);
    this.why = null;
    this.#isOrdered = false;
    this.#options.onEnd();
  }

  /** The network is back: a delay ends, unless the server has ordered it. */
  resume() {
    if (this.why === "retry" && !this.#isOrdered) this.end();
  }

  /** @param {string|null} connectionId the connection that is live now */
  connectionChanged(connectionId) {
    if (!connectionId) return;
    if (this.why === "connection" && connectionId !== this.#staleConnection) this.end();
    else this.resume();
  }

  loggedIn() {
    if (this.why === "login") this.end();
  }

  /** @param {"retry"|"connection"|"login"} why @param {number|null} ms null: until it is ended from outside */
  #begin(why, ms) {
    const { clock } = this.#options;
    clock.clearTimeout(this.#timer);
    this.#timer = ms === null ? null : clock.setTimeout(() => this.end(), ms);
    this.why = why;
    this.#isOrdered = false;
  }
}
