/** The words of the page for times. Pure. */

/** @param {number} ms @returns {string} 4:05, 1:02:09 */
export function clockText(ms) {
  const s = Math.max(0, Math.round(ms / 1_000));
  const pad = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(s / 3_600);
  const minutes = Math.floor((s % 3_600) / 60);
  return hours ? `${hours}:${pad(minutes)}:${pad(s % 60)}` : `${minutes}:${pad(s % 60)}`;
}

/** @param {string|null} ts @param {number} now @returns {string} now, 5 min, 3 h, 12 Nov */
export function agoText(ts, now) {
  const at = ts ? Date.parse(ts) : NaN;
  if (!Number.isFinite(at)) return "";
  const minutes = Math.floor((now - at) / 60_000);
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h`;
  return new Date(at).toLocaleDateString(undefined, { day: "numeric", month: "short" });
}

const DAY_MS = 86_400_000;

/** @param {string|null} ts @param {number} now @returns {string} Today, Yesterday, Last 7 days, Last 30 days, October 2026 */
export function dayText(ts, now) {
  const at = new Date(ts ?? now);
  const days = Math.round((midnight(now) - midnight(at)) / DAY_MS); // a day of 23 or 25 hours is one
  if (days < 1) return "Today";
  if (days === 1) return "Yesterday";
  if (days <= 7) return "Last 7 days";
  if (days <= 30) return "Last 30 days";
  return at.toLocaleDateString("en", { month: "long", year: "numeric" });
}

/** @param {number|Date} at */
function midnight(at) {
  return new Date(at).setHours(0, 0, 0, 0);
}

/** @param {string|null} ts @param {number} now the server's time @returns {string} with its day when that is past */
export function timeText(ts, now) {
  const at = ts ? new Date(ts) : null;
  if (!at || Number.isNaN(at.getTime())) return "";
  const sameDay = at.toDateString() === new Date(now).toDateString();
  const time = at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  return sameDay
    ? time
    : `${at.toLocaleDateString(undefined, { day: "numeric", month: "short" })}, ${time}`;
}

/** A time in full, with its day. */
export function momentText(ts) {
  const at = ts ? new Date(ts) : null;
  return at && !Number.isNaN(at.getTime())
    ? at.toLocaleString(undefined, { dateStyle: "full", timeStyle: "medium" })
    : "";
}
