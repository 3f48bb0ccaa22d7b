/** The changes of files, drawn: signs as well as colours, `+12 −3`, and a mark for what is left out. */

import { difference } from "./diff.js";
import { partnersOf, rowElements } from "./diff-rows.js";
import { arrange } from "./diff-sides.js";
import { h } from "./dom.js";
import { pathButton } from "./path-button.js";
import { visible } from "./visible.js";

/** Rows drawn of one call: a page with more would freeze. */
const MAX_ROWS = 2_000;
/**
 * @param {import("./fold.js").Diff[]|undefined} diffs @param {{opens?: boolean}} [options] opens: a path opens its file
 * @returns {HTMLElement[]} one per file
 */
export function diffElements(diffs, { opens = false } = {}) {
  let room = MAX_ROWS;
  return (diffs ?? []).map((diff) => {
    const { rows, added, removed } = difference(diff.oldText, diff.newText);
    const shown = rows.slice(0, room);
    room -= shown.length;
    const lines = h(
      "pre.diff-rows",
      { tabindex: "0", translate: "no" },
      ...rowElements(shown, partnersOf(shown)),
    );
    arrange(lines);
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
      shown.length < rows.length &&
        h("p.muted", { text: `${rows.length - shown.length} more lines are not shown.` }),
      Boolean(diff.cut) &&
        h("p.muted", { text: `${diff.cut} characters of this change are left out.` }),
    );
  });
}
