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

/**
 * Retry-After in milliseconds: seconds or an HTTP date; 0 when absent or unreadable.
 * @param {string|number|null|undefined} value
 * @param {number} now epoch milliseconds
 */
export function retryAfterMs(value, now) {
  if (value === null || value === undefined || value === "") return 0;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const at = Date.parse(String(value));
  return Number.isFinite(at) ? Math.max(0, at - now) : 0;
}
