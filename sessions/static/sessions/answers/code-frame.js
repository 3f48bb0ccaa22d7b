/** The frame around a block of code: its language, a button that copies it, and a fold when it is long. */

import { copyButton } from "../elements/copy.js";
import { formatCount } from "../words/counts.js";
import { h, setText } from "../elements/dom.js";

/** More lines than this are folded. */
const MAX_LINES = 40;

/**
 * @param {HTMLElement} pre it is put into a frame where it stands
 * @param {boolean} isFolded whether a long one is folded at first
 */
export function frameCode(pre, isFolded) {
  pre.tabIndex = 0; // a wide one is scrolled by keyboard
  pre.translate = false;
  const language = /^language-(\S+)/.exec(pre.querySelector("code")?.className ?? "")?.[1] ?? "";
  const frame = h("div.code-frame");
  pre.replaceWith(frame);
  const copy = copyButton("this code", () => pre.textContent);
  const head = h("div.code-head", { "data-language": language }, copy);
  frame.append(head, pre);
  const lines = linesOf(pre.textContent ?? "");
  if (lines > MAX_LINES) frame.append(unfolder(pre, lines, isFolded));
  return { frame, head };
}

/** @param {string} text */
function linesOf(text) {
  return text.split("\n").length - Number(text.endsWith("\n"));
}

/** @param {HTMLElement} pre @param {number} lines @param {boolean} isFolded */
function unfolder(pre, lines, isFolded) {
  const button = h("button.link.unfold", { type: "button" });
  const fold = (/** @type {boolean} */ folded) => {
    pre.classList.toggle("folded", folded);
    button.setAttribute("aria-expanded", String(!folded));
    setText(button, folded ? `Show all ${formatCount(lines)} lines` : "Show less");
  };
  button.addEventListener("click", () => {
    const isOpen = !pre.classList.contains("folded");
    fold(isOpen);
    if (isOpen) pre.scrollIntoView({ block: "nearest" });
  });
  fold(isFolded);
  return button;
}
