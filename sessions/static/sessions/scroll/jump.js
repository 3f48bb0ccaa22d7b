/** The button to the end of the transcript. It says when an answer is there that was not seen. */

import { byId, setText } from "../elements/dom.js";

export class Jump {
  /** @type {string|null} the last answer that was in sight */
  seen = null;

  /** @param {() => void} jump */
  constructor(jump) {
    byId("jump").addEventListener("click", jump);
  }

  /** @param {import("../log/fold.js").Snapshot} snapshot @param {import("../transcript/transcript.js").Transcript} transcript */
  draw({ current, messages }, { following: isAtEnd, isLooking }) {
    if (isLooking) return; // nothing was seen yet
    const answer = current ?? messages.findLast(({ role }) => role === "assistant");
    const last = answer?.messageId ?? null;
    if (isAtEnd) this.seen = last;
    byId("jump").hidden = isAtEnd;
    setText(byId("jump-text"), last === this.seen ? "Jump to latest" : "New answer");
  }
}
