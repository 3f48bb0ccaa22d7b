/** Rows of a diff side by side: in the same order, each removed one left of the added one in its place. */

/** @typedef {"removed"|"added"|"other"} Kind */

/** The line of the grid that each row is in, from 1. @param {Kind[]} kinds @returns {number[]} */
export function linesOf(kinds) {
  const lines = [];
  let line = 0;
  for (let i = 0; i < kinds.length;) {
    if (kinds[i] === "other") {
      lines.push((line += 1));
      i += 1;
      continue;
    }
    const removed = runOf(kinds, i, "removed");
    const added = runOf(kinds, i + removed, "added");
    for (const count of [removed, added]) for (let k = 1; k <= count; k += 1) lines.push(line + k);
    line += Math.max(removed, added);
    i += removed + added;
  }
  return lines;
}

/** @param {Kind[]} kinds @param {number} from @param {Kind} kind */
function runOf(kinds, from, kind) {
  let end = from;
  while (kinds[end] === kind) end += 1;
  return end - from;
}

/** Put the rows of a part into their lines. @param {Element} part */
export function arrange(part) {
  const rows = [...part.children];
  const lines = linesOf(rows.map(kindOf));
  rows.forEach((row, i) => {
    if (row instanceof HTMLElement) row.style.gridRowStart = String(lines[i]);
  });
}

/** @param {Element} row @returns {Kind} */
function kindOf({ classList }) {
  if (classList.contains("removed")) return "removed";
  return classList.contains("added") ? "added" : "other";
}
