/** The keys that walk a list. Pure. */

/**
 * The place that a key leads to; the last one stays where it is.
 * @param {number} at -1: before the first one @param {number} count of the places @param {string} key
 * @returns {number|null} null: before the first one, or none at all
 */
export function stepFrom(at, count, key) {
  const last = count - 1;
  const to = { ArrowDown: Math.min(at + 1, last), ArrowUp: at - 1, Home: 0, End: last }[key] ?? -1;
  return to < 0 || last < 0 ? null : to;
}
