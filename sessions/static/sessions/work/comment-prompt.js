/** Comments → one prompt. Pure. */

/** @typedef {{path: string, line: number, isOld?: boolean, quote: string, text: string}} Comment isOld: a removed line */

/** @param {Comment} comment */
export function placeOf({ path, line, isOld }) {
  return `${path}:${line}${isOld ? " (removed)" : ""}`;
}

/** @param {Comment[]} comments @returns {string} "" without any */
export function promptOf(comments) {
  if (!comments.length) return "";
  const sorted = [...comments].sort(
    (a, b) => (a.path < b.path ? -1 : Number(a.path > b.path)) || a.line - b.line,
  );
  const parts = sorted.map(
    (comment) => `${placeOf(comment)}\n> ${comment.quote}\n\n${comment.text}`,
  );
  return `Comments on lines:\n\n${parts.join("\n\n")}`;
}
