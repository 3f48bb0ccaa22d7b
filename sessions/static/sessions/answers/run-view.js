/** The row that stands for a run of tool calls; it holds their blocks. */

import { disclosure } from "../elements/disclosure.js";
import { setText } from "../elements/dom.js";
import { CHAT_ICONS } from "../elements/chat-icons.js";
import { runText } from "../log/runs.js";

export function createRunView() {
  const { element, label, hint, status, body } = disclosure("steps", CHAT_ICONS.steps);
  return {
    element,
    body,
    /** @param {import("../log/runs.js").Run} run */
    update(run) {
      const words = runText(run);
      setText(label, words.label);
      setText(hint, words.hint);
      setText(status, words.status);
    },
  };
}
