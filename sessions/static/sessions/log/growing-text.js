/**
 * Text of any length that grows: an append costs its own length, not the length of the text.
 *
 * Long text is cut into runs. A browser lays out a paragraph as one, and takes the square of its length for
 * the direction of a line of its own: a line of a million characters would freeze the page.
 */

import { h } from "../elements/dom.js";

export const MAX_RUN = 16_384;

export class GrowingText {
  #element;
  /** @type {{element: HTMLElement, length: number}[]} in front of the tail, never changed */
  #runs = [];
  #tail = document.createTextNode("");
  #shown = "";

  /** @param {HTMLElement} element holds this text alone */
  constructor(element) {
    this.#element = element;
    element.append(this.#tail);
  }

  /** @param {string} text */
  set(text) {
    const isOurs = this.#isOurs();
    if (isOurs && text === this.#shown) return;
    if (!isOurs || !text.startsWith(this.#shown)) this.#clear();
    this.#append(text.slice(this.#shown.length));
    this.#shown = text;
  }

  /** A translation or an extension may have put nodes of its own in the place of ours. */
  #isOurs() {
    const { childNodes } = this.#element;
    const lengths = this.#runs.reduce((sum, run) => sum + run.length, this.#tail.length);
    return (
      childNodes.length === this.#runs.length + 1 &&
      childNodes[childNodes.length - 1] === this.#tail &&
      lengths === this.#shown.length &&
      this.#runs.every(
        ({ element, length }, i) => element === childNodes[i] && isRun(element, length),
      )
    );
  }

  #clear() {
    this.#runs = [];
    this.#tail = document.createTextNode("");
    this.#shown = "";
    this.#element.replaceChildren(this.#tail);
  }

  /** @param {string} piece */
  #append(piece) {
    if (this.#tail.length + piece.length <= MAX_RUN) {
      this.#tail.appendData(piece);
      return;
    }
    const texts = runsOf(this.#tail.data + piece);
    this.#tail.data = texts.pop() ?? "";
    const runs = texts.map((text) => ({ element: h("div.run", { text }), length: text.length }));
    this.#tail.before(...runs.map(({ element }) => element));
    this.#runs.push(...runs);
  }
}

/** @param {HTMLElement} element @param {number} length */
function isRun({ childNodes }, length) {
  return (
    childNodes.length === 1 &&
    childNodes[0].nodeType === 3 &&
    childNodes[0].nodeValue?.length === length
  );
}

/**
 * The text in runs of at most MAX_RUN: cut behind a line feed, where it cannot be seen, or else in the line.
 * @param {string} text @returns {string[]}
 */
export function runsOf(text) {
  const runs = [];
  let from = 0;
  while (text.length - from > MAX_RUN) {
    const to = cutOf(text, from);
    runs.push(text.slice(from, to));
    from = to;
  }
  return [...runs, text.slice(from)];
}

/** @param {string} text @param {number} from */
function cutOf(text, from) {
  const limit = from + MAX_RUN;
  const feed = text.lastIndexOf("\n", limit - 1);
  if (feed >= from) return feed + 1;
  const isHalf = (text.charCodeAt(limit) & 0xfc00) === 0xdc00; // never between the halves of a character
  return isHalf ? limit - 1 : limit;
}
