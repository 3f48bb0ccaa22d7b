/** The open part of a text that streams: raw, but for its code, which has its frame already. */

import { frameCode } from "./code-frame.js";
import { h } from "../elements/dom.js";
import { Fences } from "../log/fences.js";
import { GrowingText } from "../log/growing-text.js";

/** @typedef {{isCode: boolean, element: HTMLElement, holder: HTMLElement, update: (part: import("../log/fences.js").Part) => void}} View */

export class OpenText {
  element = h("div.prose-tail");
  #fences = new Fences();
  /** @type {View[]} */
  #views = [];

  /** @param {string} text all of it, from the end of the rendered parts on */
  set(text) {
    const parts = this.#fences.read(text);
    this.#align(parts);
    parts.forEach((part, i) => this.#view(i, part.isCode).update(part));
    // The caret stands behind the open part.
    this.#views.forEach(({ holder }, i) => holder.classList.toggle("tail-end", parts[i].isOpen));
  }

  /**
   * Code that has just been rendered takes the place of its open frame: it is scrolled as far, and has the focus.
   * @param {Element[]} rendered
   */
  handOver(rendered) {
    const old = this.element.querySelector("pre");
    const now = rendered.find((part) => part.matches(".code-frame"))?.querySelector("pre");
    if (!old || !now) return;
    if (old.scrollLeft) now.scrollLeft = old.scrollLeft;
    const focused = document.activeElement;
    if (!old.parentElement?.contains(focused)) return;
    const heir = focused === old ? now : now.parentElement?.querySelector("button");
    heir?.focus({ preventScroll: true });
  }

  /** The first parts may be rendered by now; code behind them keeps its frame. @param {import("../log/fences.js").Part[]} parts */
  #align(parts) {
    const isOther = () =>
      this.#views.length > parts.length || this.#views[0].isCode !== parts[0].isCode;
    while (this.#views.length && isOther()) this.#views.shift()?.element.remove();
  }

  /** @param {number} place @param {boolean} isCode */
  #view(place, isCode) {
    if (this.#views[place]?.isCode !== isCode) this.#cut(place);
    if (!this.#views[place]) this.#views.push(isCode ? codeView() : textView());
    const view = this.#views[place];
    if (view.element.parentNode !== this.element) this.element.append(view.element);
    return view;
  }

  /** @param {number} length views that stay */
  #cut(length) {
    for (const { element } of this.#views.splice(length)) element.remove();
  }
}

/** @returns {View} */
function textView() {
  const element = h("div.tail-text", { dir: "auto" });
  const text = new GrowingText(element);
  return { isCode: false, element, holder: element, update: (part) => text.set(part.text) };
}

/** @returns {View} */
function codeView() {
  const holder = h("code");
  const { frame, head } = frameCode(h("pre", {}, holder), false);
  const text = new GrowingText(holder);
  return {
    isCode: true,
    element: frame,
    holder,
    update: (part) => {
      head.dataset.language = part.language;
      text.set(part.text);
    },
  };
}
