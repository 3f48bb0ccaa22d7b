/** The row that stands for a run of tool calls; it holds their blocks. */

import { disclosure } from "./disclosure.js";
import { setText } from "./dom.js";
import { CHAT_ICONS } from "./chat-icons.js";
import { runText } from "./runs.js";

export function createRunView() {
  const { element, label, hint, status, body } = disclosure("steps", CHAT_ICONS.steps);
  return {
    element,
    body,
    /** @param {import("./runs.js").Run} run */
    update(run) {
      const words = runText(run);
      setText(label, words.label);
      setText(hint, words.hint);
      setText(status, words.status);
    },
  };
}
