/** The words of the page for skipped events. Pure. */

import { formatCount } from "./counts.js";

/** @param {Pick<import("../log/store.js").Skip, "from"|"to"|"reason">} skip */
export function skipText({ from, to, reason }) {
  const when = reason === "slow_reader" ? "faster than this page took them" : "while you were away";
  return `${updates(to - from + 1)} came ${when}.`;
}

/** @param {number} n */
function updates(n) {
  return `${formatCount(n)} ${n === 1 ? "update" : "updates"}`;
}

/** @type {[one: string, types: string[], many?: string][]} */
const KINDS = [
  ["message", ["user_message", "message_start", "error", "interrupt_failed"]],
  ["piece of text", ["block_delta"], "pieces of text"],
  ["tool result", ["tool_result"]],
  ["permission request", ["permission_request"]],
];

/** @param {Record<string, number>} counts events by type */
export function loadedText(counts) {
  const all = Object.values(counts).reduce((sum, n) => sum + n, 0);
  const parts = KINDS.map(([one, types, many = `${one}s`]) => {
    const n = types.reduce((sum, type) => sum + (counts[type] ?? 0), 0);
    return n ? `${formatCount(n)} ${n === 1 ? one : many}` : "";
  }).filter(Boolean);
  const among = parts.length ? ` Among them: ${parts.join(", ")}.` : "";
  return `${updates(all)} ${all === 1 ? "is" : "are"} shown.${among}`;
}
