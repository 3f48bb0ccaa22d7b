/** The words of the page for skipped events. Pure. */

import { formatCount } from "./counts.js";

const SKIP_REASONS = {
  replay_bytes: "too much text to send again",
  max_replay_gap: "too many to replay",
  pruned: "no longer kept one by one",
  slow_reader: "this page could not keep up",
};

/** @param {Pick<import("./store.js").Skip, "from"|"to"|"reason">} skip */
export function skipText({ from, to, reason }) {
  const count = to - from + 1;
  const why = SKIP_REASONS[reason] ?? reason;
  return `${formatCount(count)} ${count === 1 ? "event was" : "events were"} skipped while you were away (${why}).`;
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
  return `All ${formatCount(all)} skipped events are loaded.${among}`;
}
