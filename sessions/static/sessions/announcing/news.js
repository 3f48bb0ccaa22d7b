/** The news that call a person back. Pure. */

import { actionLine } from "../words/action.js";
import { endingOf } from "../words/text.js";
import { visible } from "../words/visible.js";

const NEWS_CHARS = 140;

/** The news that is worth calling a person back for. @param {any} frame @returns {string} empty for everything else */
export function newsOf(frame) {
  if (frame.type === "permission_request")
    return visible(`Needs your decision: ${actionLine(frame)}`).slice(0, NEWS_CHARS);
  if (frame.type === "request_reminded")
    return visible(`Still needs your decision: ${frame.title}`).slice(0, NEWS_CHARS);
  if (frame.type === "question_asked")
    return visible(`Asks a question: ${frame.title}`).slice(0, NEWS_CHARS);
  return frame.type === "turn_end" ? (endingOf(frame.stopReason) ?? "Answered") : "";
}
