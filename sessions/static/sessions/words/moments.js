/** Moments of RFC 3339, and the local times of a browser's field. Pure but for the browser's time zone. */

/** The last local time that a moment of four digits of the year can name. */
export const LATEST = "9999-12-31T23:59:59";

/**
 * A moment with the offset that the browser's zone has at that time.
 * @param {string} local of a field, as 2026-12-31T23:59 @returns {string} a text that is no time stays as it is
 */
export function momentOf(local) {
  const date = new Date(local);
  if (Number.isNaN(date.getTime())) return local;
  // An hour that a clock leaves out in spring is shown as the next one.
  const told = localText(date);
  const ahead = Date.parse(`${told}Z`) - Math.floor(date.getTime() / 1_000) * 1_000;
  const minutes = Math.abs(ahead) / 60_000;
  // Zones of the nineteenth century were ahead by seconds, too.
  if (!Number.isInteger(minutes)) return `${date.toISOString().slice(0, -5)}Z`;
  const hours = Math.floor(minutes / 60);
  return `${told}${ahead < 0 ? "-" : "+"}${digits(hours)}:${digits(minutes % 60)}`;
}

/**
 * The time that a field shows for a moment, in the browser's zone.
 * @param {unknown} moment of RFC 3339 @returns {string} as 2026-12-31T23:59:00, empty for a text that is no moment
 */
export function localOf(moment) {
  if (typeof moment !== "string" || !/^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/i.test(moment))
    return "";
  const date = new Date(moment);
  return Number.isNaN(date.getTime()) ? "" : localText(date);
}

/** @param {Date} date */
function localText(date) {
  const day = [digits(date.getFullYear(), 4), digits(date.getMonth() + 1), digits(date.getDate())];
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()];
  return `${day.join("-")}T${time.map((part) => digits(part)).join(":")}`;
}

/** @param {number} number @param {number} [count] */
function digits(number, count = 2) {
  return String(number).padStart(count, "0");
}
