/** A request, a question or a call of which parts were cut: a button that loads them whole. */

import { sizeText } from "../words/counts.js";
import { h, setText } from "../elements/dom.js";

// The parts that are plain texts, which may look like JSON.
const TEXTS = new Set(["title", "toolName"]);

/** @typedef {import("./whole-text.js").Load} Load */

/**
 * @param {any} cut the object of which parts are missing @param {Load} load a piece of a part of it
 * @param {(whole: any) => void} show takes the same with all its parts
 * @param {string[]} [names] the parts to load; every one that is cut without them
 */
export function showAll(cut, load, show, names = Object.keys(cut.cut ?? {})) {
  const size = names.reduce((sum, name) => sum + (cut.cut?.[name] ?? 0), 0);
  const label = `Show all (${sizeText(size)})`;
  const button = h("button.link.whole", { type: "button", text: label });
  let isLoading = false;
  button.addEventListener("click", async () => {
    if (isLoading) return;
    isLoading = true;
    setText(button, "Loading");
    try {
      show(await wholeOf(cut, load, names));
      button.remove();
    } catch {
      setText(button, "Loading failed. Try again");
    }
    isLoading = false;
  });
  return button;
}

/** @param {any} given @param {Load} load @param {string[]} names */
async function wholeOf({ cut, ...given }, load, names) {
  const whole = { ...given };
  for (const name of names) {
    const text = await textOf(name, load);
    whole[name] = TEXTS.has(name) ? text : valueOf(text);
  }
  return whole;
}

/** @param {string} part @param {Load} load */
async function textOf(part, load) {
  let text = "";
  for (let start = /** @type {number|null} */ (0); start !== null;) {
    const piece = await load(part, start);
    text += piece.text;
    start = piece.next;
  }
  return text;
}

/** A value of the log: its JSON, or a plain text. @param {string} text */
export function valueOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
