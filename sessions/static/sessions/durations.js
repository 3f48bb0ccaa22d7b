/** The words of the page for spans of time. Pure. */

import { clockText } from "./times.js";

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

/** The time that a request waits. @param {number|null} ms null: until it is answered @returns {string} */
export function leftText(ms) {
  if (ms === null) return "Waits until it is answered";
  return ms > 0 ? `Expires in ${clockText(ms)}` : "Time is up";
}
