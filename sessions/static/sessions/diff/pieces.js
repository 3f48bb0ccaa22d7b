/** The pieces of a line: colours of the server's sanitiser, and marks on the words that differ. Pure. */

/**
 * @typedef {{text: string, name: string}} Coloured name: a class, "" without
 * @typedef {{text: string, name: string, isChanged: boolean}} Piece
 */

/**
 * @param {string} text @param {Coloured[]|null|undefined} colours left out where they are those of another text
 * @param {import("./words.js").Part[]|null} parts @returns {Piece[]}
 */
export function piecesOf(text, colours, parts) {
  const whole = (colours ?? []).map((piece) => piece.text).join("");
  const names = colours && whole === text ? colours : [{ text, name: "" }];
  const marks = parts ?? [{ text, isChanged: false }];
  /** @type {Piece[]} */
  const pieces = [];
  let [i, k, inName, inMark] = [0, 0, 0, 0];
  while (i < names.length && k < marks.length) {
    const size = Math.min(names[i].text.length - inName, marks[k].text.length - inMark);
    if (size > 0)
      pieces.push({
        text: names[i].text.slice(inName, inName + size),
        name: names[i].name,
        isChanged: marks[k].isChanged,
      });
    inName += size;
    inMark += size;
    if (inName >= names[i].text.length) [i, inName] = [i + 1, 0];
    if (inMark >= marks[k].text.length) [k, inMark] = [k + 1, 0];
  }
  return pieces;
}
