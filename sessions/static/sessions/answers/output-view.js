/** An output that grows on the screen: lines that have ended are not touched again. */

import { h } from "../elements/dom.js";
import { Output, spansOf } from "../log/output.js";
import { visible } from "../words/visible.js";

/** So much of an output's end is looked at for its last line. */
const TAIL = 4_096;

export class OutputView {
  #element;
  #output = new Output();
  #open = h("span");
  #shown = "";

  /** @param {HTMLElement} element holds the output alone */
  constructor(element) {
    this.#element = element;
    element.replaceChildren(this.#open);
  }

  /** @param {string} text all of it so far */
  set(text) {
    if (text === this.#shown && this.#element.contains(this.#open)) return;
    if (!text.startsWith(this.#shown) || !this.#element.contains(this.#open)) this.#begin();
    this.#output.add(text.slice(this.#shown.length));
    this.#open.before(...this.#output.take().map(drawn));
    this.#open.replaceChildren(...this.#output.open.map(drawn));
    this.#shown = text;
  }

  #begin() {
    this.#output = new Output();
    this.#shown = "";
    this.#element.replaceChildren(this.#open);
  }
}

/** The last line of an output that is not empty, in plain words. @param {string} text */
export function lastLineOf(text) {
  const plain = spansOf(text.slice(-TAIL)).map(([, part]) => part);
  const end = plain.join("").trimEnd();
  return end.slice(end.lastIndexOf("\n") + 1);
}

/** @param {import("../log/output.js").Span} span */
function drawn([style, text]) {
  const shown = visible(text);
  if (!style) return document.createTextNode(shown);
  return h(
    `span.${style
      .split(" ")
      .map((word) => `term-${word}`)
      .join(".")}`,
    { text: shown },
  );
}
