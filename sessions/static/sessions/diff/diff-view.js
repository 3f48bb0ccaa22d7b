/** The changes of files, drawn: signs as well as colours, `+12 −3`, and a mark for what is left out. */

import { colourRows } from "./diff-colours.js";
import { difference } from "./diff.js";
import { partnersOf, rowElements } from "./diff-rows.js";
import { arrange } from "./diff-sides.js";
import { h } from "../elements/dom.js";
import { pathButton } from "../elements/path-button.js";
import { visible } from "../words/visible.js";

/** Rows drawn of one call: a page with more would freeze. */
const MAX_ROWS = 2_000;

/** @typedef {import("../log/fold.js").Diff} Diff */

/**
 * @param {Diff[]|undefined} diffs @param {{opens?: boolean, isWhole?: boolean}} [options] opens: a path opens its
 *   file; isWhole: rows beyond the drawn ones are plain text, and a red line tells what the server has left out
 * @returns {HTMLElement[]} one per file
 */
export function diffElements(diffs, { opens = false, isWhole = false } = {}) {
  let room = MAX_ROWS;
  return (diffs ?? []).map((diff) => {
    const { rows, added, removed } = difference(diff.oldText, diff.newText);
    const shown = rows.slice(0, room);
    room -= shown.length;
    const elements = rowElements(shown, partnersOf(shown));
    const lines = h("pre.diff-rows", { tabindex: "0", translate: "no" }, ...elements);
    arrange(lines);
    colourRows(diff, shown, elements);
    return h(
      "section.diff",
      { "aria-label": `Change of ${visible(diff.path)}` },
      h(
        "div.code-head",
        {},
        h("h3", { translate: "no" }, opens ? pathButton(diff.path) : visible(diff.path)),
        h("span.diff-count", { text: `+${added} −${removed}` }),
        diff.oldText === null && h("span.diff-new", { text: "new file" }),
      ),
      lines,
      shown.length < rows.length && restElement(rows.slice(shown.length), isWhole),
      Boolean(diff.cut) &&
        h(isWhole ? "p.permission-warning" : "p.muted", {
          text: `${diff.cut} characters of this change are left out.`,
        }),
    );
  });
}

/** @param {import("./diff.js").Row[]} rows @param {boolean} isWhole */
function restElement(rows, isWhole) {
  if (!isWhole) return h("p.muted", { text: `${rows.length} more lines are not shown.` });
  const text = rows.map((row) => `${row.sign}${row.text}\n`).join("");
  return h("pre.diff-rest", { text: visible(text), translate: "no" });
}

/** Whether each change of an input is one of these, whole. @param {any} changes @param {Diff[]} diffs */
export function areDrawn(changes, diffs) {
  return Array.isArray(changes) && changes.every((change) => diffs.some(isOne(change)));
}

/** @param {any} change @returns {(diff: Diff) => boolean} */
function isOne(change) {
  const { path, oldText = null, newText, ...more } = change ?? {};
  return (diff) =>
    ![diff.cut, ...Object.keys(more)].some(Boolean) &&
    diff.path === path &&
    diff.oldText === oldText &&
    diff.newText === newText;
}
