/** The words of an answer and of its tool calls. Pure. */

/** The ends that no person chose: their prompt is worth another try. */
const ACCIDENTS = new Set(["error", "agent_crashed", "server_restart"]);

/** @param {string|null} stopReason */
export function isAccident(stopReason) {
  return ACCIDENTS.has(stopReason ?? "");
}

/** The text of an answer, as its agent wrote it. @param {any} message @returns {string} empty when it says nothing */
export function answerText({ blocks }) {
  return blocks
    .filter((block) => block.blockType === "text")
    .map((block) => block.content)
    .join("\n\n")
    .trim();
}

/** An input or result of a tool, readable: a command as it is typed, other things as indented JSON. */
export function readable(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (typeof value === "object" && !Array.isArray(value)) {
    const keys = Object.keys(value);
    if (!keys.length) return "";
    if (keys.length === 1 && typeof value[keys[0]] === "string") return value[keys[0]];
  }
  return JSON.stringify(value, null, 2);
}
