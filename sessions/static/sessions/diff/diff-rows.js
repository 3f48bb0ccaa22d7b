/** Rows of a diff as elements: signs as well as colours, marks on the words that differ. */

import { h } from "../elements/dom.js";
import { piecesOf } from "./pieces.js";
import { visible } from "../words/visible.js";
import { wordMarks } from "./words.js";

/**
 * @typedef {{sign: string, text: string, line?: number|null, colours?: import("./pieces.js").Coloured[]|null}} Row
 *   line: its number, which can be commented on
 */

const KINDS = { "+": "added", "-": "removed", " ": "kept", "…": "hidden", "\\": "hidden" };
const WORDS = { "+": "added: ", "-": "removed: " };

/**
 * The rows from one to another; the words of a removed line are held against the added one in its place.
 * @param {Row[]} rows @param {Int32Array} partners of `partnersOf(rows)` @param {number} [from] @param {number} [to]
 */
export function rowElements(rows, partners, from = 0, to = rows.length) {
  return rows.slice(from, to).map((row, i) => rowElement(row, marksOf(rows, partners, from + i)));
}

/** The row that each removed and added one is compared with, -1 for none. @param {Row[]} rows */
export function partnersOf(rows) {
  const partners = new Int32Array(rows.length).fill(-1);
  for (let i = 0; i < rows.length; i += 1) {
    const removed = runOf(rows, i, "-");
    const added = removed ? runOf(rows, i + removed, "+") : 0;
    for (let k = 0; k < Math.min(removed, added); k += 1) {
      partners[i + k] = i + removed + k;
      partners[i + removed + k] = i + k;
    }
    i += Math.max(0, removed + added - 1);
  }
  return partners;
}

/** @param {Row[]} rows @param {number} from @param {string} sign */
function runOf(rows, from, sign) {
  let end = from;
  while (end < rows.length && rows[end].sign === sign) end += 1;
  return end - from;
}

/** @param {Row[]} rows @param {Int32Array} partners @param {number} i */
function marksOf(rows, partners, i) {
  const other = partners[i];
  if (other < 0) return null;
  const [before, after] = other > i ? [i, other] : [other, i];
  const marks = wordMarks(rows[before].text, rows[after].text);
  return marks && marks[i === before ? 0 : 1];
}

/** @param {Row} row @param {import("./words.js").Part[]|null} parts */
function rowElement({ sign, text, line, colours }, parts) {
  return h(
    `span.diff-row.${KINDS[sign] ?? "kept"}`,
    {},
    line !== undefined && lineButton(line),
    h("span.diff-sign", { text: sign, "aria-hidden": "true" }),
    sign in WORDS && h("span.sr-only", { text: WORDS[sign] }),
    ...piecesOf(text, colours, parts).map(pieceNode),
    "\n",
  );
}

/** @param {import("./pieces.js").Piece} piece */
export function pieceNode({ text, name, isChanged }) {
  const shown = visible(text);
  if (!name && !isChanged) return shown;
  return h(isChanged ? "mark" : "span", { text: shown, class: name || false });
}

/** The number of a line, by which a comment begins. @param {number|null} line */
export function lineButton(line) {
  if (line === null) return h("span.diff-line", { "aria-hidden": "true" });
  return h("button.diff-line", {
    type: "button",
    tabindex: "-1",
    "data-line": line,
    "aria-label": `Comment on line ${line}`,
    text: line,
  });
}
