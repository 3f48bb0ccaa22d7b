/** Colours for the rows of a diff, asked for when they are drawn: a row without an answer stays as it is. */

import { partnersOf, rowElements } from "./diff-rows.js";
import { linesOf } from "./code-lines.js";

/** Longer texts stay plain (docs/reference/http-api.md). */
const MAX_CHARS = 20_000;

/** @typedef {(path: string, texts: string[]) => Promise<{html: string[]}>} Ask the server, for texts as coloured code */

/** @type {Ask|null} */
let ask = null;

/** @param {Ask} own the page's way to ask */
export function coloursBy(own) {
  ask = own;
}

/**
 * Give rows their colours in place. A row whose text would differ by them stays plain. Never rejects.
 * @param {import("../log/fold.js").Diff} diff @param {import("./diff.js").Row[]} rows @param {HTMLElement[]} elements of the rows
 */
export async function colourRows({ path, oldText, newText, cut }, rows, elements) {
  const texts = [oldText ?? "", newText];
  if (!ask || cut || !rows.length || texts.some(({ length }) => length > MAX_CHARS)) return;
  const answer = await ask(path, texts).catch(() => null); // plain rows tell the same
  if (!answer?.html.some(Boolean)) return;
  const [old, now] = texts.map((text, i) => linesOf(text, answer.html[i] ?? ""));
  const coloured = rows.map((row) => {
    const at = row.at ?? -1;
    return { ...row, colours: (row.sign === "-" ? old : now)[at] };
  });
  rowElements(coloured, partnersOf(coloured)).forEach((element, i) => {
    if (element.textContent === elements[i].textContent)
      elements[i].replaceChildren(...element.childNodes);
  });
}
