/** The words of the page for spans of time. Pure. */

/** @param {number} ms @returns {string} 0.4 s, 48 s, 2 min 5 s, 1 h 4 min; empty for less than a tenth of a second */
export function durationText(ms) {
  if (ms < 100) return "";
  if (ms < 9_950) return `${Math.round(ms / 100) / 10} s`;
  const s = Math.round(ms / 1_000);
  if (s < 60) return `${s} s`;
  const minutes = Math.floor(s / 60);
  if (minutes < 60) return s % 60 ? `${minutes} min ${s % 60} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
}

const DAY_MINUTES = 1_440;

/**
 * The time that a request waits: whole minutes, and seconds in the last one.
 * @param {number|null} ms null: until it is answered @param {string} end what the server then does with it, as "Denied"
 * @returns {string}
 */
export function leftText(ms, end) {
  if (ms === null) return "Waits until it is answered";
  if (ms <= 0) return "Time is up";
  return `${end} automatically in ${spanText(ms)}`;
}

/** @param {number} ms more than 0 */
function spanText(ms) {
  if (ms <= 60_000) return `${Math.ceil(ms / 1_000)} s`;
  const minutes = Math.ceil(ms / 60_000);
  if (minutes < 2 * DAY_MINUTES) return durationText(minutes * 60_000);
  return `${Math.ceil(minutes / DAY_MINUTES)} days`;
}
