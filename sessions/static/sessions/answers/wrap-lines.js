/** The switch of the outputs of tools: long lines are wrapped, or the output is scrolled. The browser keeps it. */

import { storageOf } from "../server/browser.js";
import { h } from "../elements/dom.js";
import { keep, kept } from "../../transport/browser/storage.js";

const KEY = "backstay.long-lines";
const storage = storageOf("localStorage");
let isWrapped = kept(storage, KEY) !== "1";

/** @returns {HTMLElement} one of many, which show and change one choice */
export function wrapSwitch() {
  const button = h("button.wrap-lines", { type: "button", text: "Wrap lines", onclick: change });
  draw(button);
  return button;
}

function change() {
  isWrapped = !isWrapped;
  keep(storage, KEY, isWrapped ? null : "1");
  document.querySelectorAll(".wrap-lines").forEach(draw);
}

/** @param {Element} button */
function draw(button) {
  button.setAttribute("aria-pressed", String(isWrapped));
  document.documentElement.dataset.wrap = String(isWrapped);
}
