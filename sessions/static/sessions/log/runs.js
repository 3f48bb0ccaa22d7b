/**
 * The steps of an answer, folded: a run of three or more calls that are done is one row. Pure.
 *
 * A call that failed, was denied or stopped stands out of its run, behind it. Thoughts between the calls of a run
 * belong to it.
 *
 * @typedef {import("./fold.js").Block} Block
 * @typedef {{blocks: Block[], out: Block[]}} Run blocks: in the row, in order; out: behind it, in order. A run of a
 *   single block is no row
 */

import { durationText } from "../words/durations.js";

/** Fewer rows are read as fast as one that stands for them. */
export const MIN_CALLS = 3;

/** The words for so many calls of a kind. @type {Record<string, [one: string, many: string]>} */
const WORDS = {
  read: ["read", "reads"],
  edit: ["edit", "edits"],
  delete: ["deletion", "deletions"],
  move: ["move", "moves"],
  search: ["search", "searches"],
  execute: ["command", "commands"],
  fetch: ["fetch", "fetches"],
};

/** @param {Block[]} blocks of an answer, in order @returns {Run[]} every block in one of them */
export function runsOf(blocks) {
  const runs = [];
  for (let at = 0; at < blocks.length;) {
    const end = endOfRun(blocks, at);
    const part = blocks.slice(at, end);
    const done = part.filter((block) => !isOut(block));
    if (done.filter(isCall).length >= MIN_CALLS)
      runs.push({ blocks: done, out: part.filter(isOut) });
    else runs.push(...part.map((block) => ({ blocks: [block], out: [] })));
    at = end;
  }
  return runs;
}

/** The end of the run that begins here: behind its last call. @param {Block[]} blocks @param {number} start */
function endOfRun(blocks, start) {
  if (!isEnded(blocks[start])) return start + 1;
  let end = start + 1;
  for (let at = end; at < blocks.length; at += 1) {
    if (isEnded(blocks[at])) end = at + 1;
    else if (blocks[at].blockType !== "thinking" || !blocks[at].done) break;
  }
  return end;
}

/** @param {Block} block */
function isCall({ blockType }) {
  return blockType === "tool_use";
}

/** @param {Block} block */
function isEnded(block) {
  return isCall(block) && block.status !== null;
}

/** @param {Block} block */
function isOut(block) {
  return isEnded(block) && block.status !== "completed";
}

/** @param {Run} run @returns {{label: string, hint: string, status: string}} the words of its row */
export function runText({ blocks, out }) {
  const calls = blocks.filter(isCall);
  const all = [...calls, ...out];
  const failed = out.filter(({ status }) => status === "failed").length;
  const took = all.reduce((sum, { tookMs = 0 }) => sum + tookMs, 0);
  return {
    label: `${all.length} steps`,
    hint: countsOf(calls),
    status: [failed ? `${failed} failed` : "", durationText(took)].filter(Boolean).join(" · "),
  };
}

/** @param {Block[]} calls @returns {string} 12 reads, 3 edits, 1 other */
function countsOf(calls) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { toolKind } of calls) {
    const kind = Object.hasOwn(WORDS, toolKind ?? "") ? (toolKind ?? "") : "other";
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  if (counts.size === 1 && counts.has("other")) return "";
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.map(([kind, n]) => `${n} ${WORDS[kind]?.[n === 1 ? 0 : 1] ?? "other"}`).join(", ");
}
