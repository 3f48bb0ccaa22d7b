/**
 * Time and chance, in one place so that tests can hold both.
 *
 * @typedef {{now: () => number, setTimeout: (fn: () => void, ms: number) => any,
 *   clearTimeout: (id: any) => void}} Clock
 */

/** @type {Clock} */
export const systemClock = {
  now: () => Date.now(),
  setTimeout: (fn, ms) => globalThis.setTimeout(fn, ms),
  clearTimeout: (id) => globalThis.clearTimeout(id),
};

/** The timers of one owner, by name. */
export class Timers {
  #clock;
  /** @type {Map<string, any>} */
  #planned = new Map();

  /** @param {Clock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  has(name) {
    return this.#planned.has(name);
  }

  /** Plans something; a plan of the same name is replaced. @param {string} name @param {number} ms @param {() => void} run */
  set(name, ms, run) {
    this.cancel(name);
    const timer = this.#clock.setTimeout(() => {
      this.#planned.delete(name);
      run();
    }, ms);
    this.#planned.set(name, timer);
  }

  cancel(name) {
    this.#clock.clearTimeout(this.#planned.get(name));
    this.#planned.delete(name);
  }

  clear() {
    for (const name of [...this.#planned.keys()]) this.cancel(name);
  }
}

export const FIRST_DELAY_MS = 500;
export const MAX_DELAY_MS = 30_000;

/**
 * How long to wait before try number `attempt` (0, 1, 2 …): between half of the ceiling and the ceiling, which is
 * 0.5 s doubling to 30 s. Never nothing: a server that answers with errors is not to be hammered. The rule that keeps
 * thousands of clients from coming back in one second is not this but the server's `spreadMs`.
 * @param {number} attempt
 * @param {() => number} random 0 ≤ x < 1
 * @returns {number} milliseconds
 */
export function backoffMs(attempt, random) {
  const ceiling = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 16));
  return Math.round((ceiling * (1 + random())) / 2);
}

/** A day: nothing on this side lasts longer, and no timer takes an endless time. */
const MAX_RETRY_AFTER_MS = 86_400_000;
const SECONDS = /^[0-9]+(\.[0-9]+)?$/;
const DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * Retry-After in milliseconds, given as seconds or as a date; 0 when unreadable.
 * @param {unknown} value
 * @param {number} now epoch milliseconds
 */
export function retryAfterMs(value, now) {
  const text = String(value).trim();
  if (SECONDS.test(text)) return Math.min(Number(text) * 1000, MAX_RETRY_AFTER_MS);
  const wait = DATE.test(text) ? Date.parse(text) - now : 0;
  return Math.min(Math.max(0, wait || 0), MAX_RETRY_AFTER_MS);
}
