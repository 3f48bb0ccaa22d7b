/** The text of an answer as it is read on the screen: without the signs of its Markdown. */

import { h } from "../elements/dom.js";
import { setHtml } from "../elements/html.js";

/** So much of the markup is parsed for each character that is wanted: code has many colours. */
const MARKUP = 64;

/** @param {any} message @param {number} most characters that are wanted @returns {string} */
export function readText({ blocks }, most) {
  let read = "";
  for (const block of blocks) {
    if (block.blockType !== "text") continue;
    read = `${read} ${textOf(block, most)}`.trim();
    if (read.length >= most) break;
  }
  return read;
}

/** @param {any} block @param {number} most */
function textOf({ content, html, rendered }, most) {
  const [markup, rest] = html
    ? [html, ""]
    : [rendered?.html ?? "", content.slice(rendered?.to ?? 0)];
  const holder = h("div");
  setHtml(holder, markup.slice(0, most * MARKUP));
  for (const sign of holder.querySelectorAll("br, input"))
    sign.replaceWith(sign.ariaLabel ? `${sign.ariaLabel}: ` : " ");
  return oneLine(`${holder.textContent} ${rest.slice(0, most * MARKUP)}`);
}

/** @param {string} text */
function oneLine(text) {
  return text.replace(/\s+/g, " ").trim();
}
