/** The time of an item of the transcript. */

import { setText } from "../elements/dom.js";
import { momentText, timeText } from "../words/times.js";

/** @param {HTMLElement} time @param {string|null} ts @param {number} now the server's time */
export function setTime(time, ts, now) {
  setText(time, timeText(ts, now));
  time.setAttribute("datetime", ts ?? "");
  time.title = momentText(ts);
}
