/** The words for a screen reader about the conversation: whole answers, decisions and ends, never single tokens. */

import { skipText } from "../words/skip-text.js";
import { newsOf } from "./news.js";
import { readText } from "./read-text.js";
import { activityOf, endingOf } from "../words/text.js";
import { announce } from "../dialogs/toasts.js";

const MAX_SPOKEN = 600;

/** @param {any} frame @param {import("../log/store.js").View|null} before @param {import("../log/store.js").View} view */
export function speak(frame, before, view) {
  if (frame.type === "message_end") {
    const message = before?.snapshot.current;
    const text = message ? readText(message, MAX_SPOKEN + 1) : "";
    if (text)
      announce(
        `Answer: ${text.length > MAX_SPOKEN ? `${text.slice(0, MAX_SPOKEN)} … the rest is in the conversation.` : text}`,
      );
  } else if (frame.type === "permission_request") {
    announce(`${newsOf(frame)}. Alt P goes there.`, true);
  } else if (frame.type === "turn_end" && endingOf(frame.stopReason)) {
    announce(endingOf(frame.stopReason) ?? "");
  } else if (frame.type === "replay_skipped") {
    announce(skipText(view.skips.at(-1) ?? frame));
  } else if (frame.type === "turn_start") {
    announce(activityOf("ACTIVE", "running"));
  } else if (frame.type === "error" || frame.type === "interrupt_failed") {
    announce(`Notice: ${frame.error}`);
  }
}
