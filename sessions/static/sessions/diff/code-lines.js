/** Coloured code of the server's sanitiser → pieces, line by line. */

import { h } from "../elements/dom.js";
import { setHtml } from "../elements/html.js";

/** @typedef {import("./pieces.js").Coloured} Coloured */

/** @param {string} text @param {string} html "" without colours @returns {Coloured[][]} */
export function linesOf(text, html) {
  return (html && colouredLines(text, html)) || plainLines(text);
}

/** @param {string} text */
function plainLines(text) {
  const lines = text.split("\n");
  if (lines.length > 1 && !lines.at(-1)) lines.pop();
  return lines.map((line) => [{ text: line, name: "" }]);
}

/** @param {string} text @param {string} html @returns {Coloured[][]|null} null: the colours are not those of the text */
function colouredLines(text, html) {
  const box = h("div");
  setHtml(box, html);
  const codes = [...box.querySelectorAll("pre > code")];
  const whole = codes.map((code) => code.textContent).join("");
  if (whole !== text && whole !== `${text}\n`) return null;
  /** @type {Coloured[][]} */
  const lines = [[]];
  for (const code of codes) {
    for (const child of code.childNodes) {
      const name = child instanceof Element ? child.className : "";
      (child.textContent ?? "").split("\n").forEach((piece, i) => {
        if (i) lines.push([]);
        if (piece) lines.at(-1)?.push({ text: piece, name });
      });
    }
  }
  if (lines.length > 1 && !lines.at(-1)?.length) lines.pop();
  return lines;
}
