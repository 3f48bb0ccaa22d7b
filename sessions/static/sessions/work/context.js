/** The lines between two hunks, which a person unfolds. */

import { rowElements } from "../diff/diff-rows.js";
import { h } from "../elements/dom.js";

/** So many lines for one press. */
const STEP = 100;

/**
 * The button before a hunk; each press shows the lines right above it. Null where none is hidden.
 * @param {import("../diff/pieces.js").Coloured[][]|null} lines of the file as it is now
 * @param {[number, number]} gap the first and the last hidden line, from 1 on
 */
export function contextButton(lines, [first, last]) {
  if (!lines || last > lines.length || last < first) return null;
  let end = last;
  const from = () => Math.max(first, end - STEP + 1);
  const button = h("button.link.hunk-more", { type: "button" });
  const name = () => (button.textContent = `Show lines ${from()}–${end}`);
  button.addEventListener("click", () => {
    const start = from();
    const rows = lines.slice(start - 1, end).map((colours, i) => ({
      ...{ sign: " ", line: start + i, colours },
      text: colours.map(({ text }) => text).join(""),
    }));
    const elements = rowElements(rows, new Int32Array(rows.length).fill(-1));
    button.closest(".diff-row")?.after(...elements);
    end = start - 1;
    if (end < first) button.remove();
    else name();
  });
  name();
  return button;
}
