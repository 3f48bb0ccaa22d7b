/** A list of suggestions above the prompt, taken by keyboard and by thumb. */

import { h } from "./dom.js";

/** @typedef {{take: () => void, parts: (Node|string)[]}} Hint */

export class Hints {
  #text;
  #list;
  /** @type {Hint[]} */
  #shown = [];
  #at = 0;

  /** @param {HTMLTextAreaElement} text @param {HTMLElement} list */
  constructor(text, list) {
    this.#text = text;
    this.#list = list;
    text.addEventListener("keydown", (event) => this.#keydown(event), { capture: true });
    text.addEventListener("blur", () => this.show([]));
  }

  /** @param {Hint[]} hints none: the list goes */
  show(hints) {
    if (!hints.length && !this.#shown.length) return;
    this.#shown = hints;
    this.#at = 0;
    this.#draw();
  }

  #draw() {
    const { id } = this.#list;
    this.#list.hidden = this.#shown.length === 0;
    this.#list.replaceChildren(
      ...this.#shown.map((hint, i) =>
        h(
          "li",
          {
            id: `${id}-${i}`,
            role: "option",
            "aria-selected": String(i === this.#at),
            // Before the field loses the focus.
            onpointerdown: (event) => {
              event.preventDefault();
              this.#take(hint);
            },
          },
          ...hint.parts,
        ),
      ),
    );
    this.#list.children[this.#at]?.scrollIntoView({ block: "nearest" });
    if (!this.#shown.length) {
      for (const name of ["aria-controls", "aria-activedescendant"])
        this.#text.removeAttribute(name);
      return;
    }
    this.#text.setAttribute("aria-controls", id);
    this.#text.setAttribute("aria-activedescendant", `${id}-${this.#at}`);
  }

  /** @param {Hint} hint */
  #take(hint) {
    this.show([]);
    hint.take();
  }

  #keydown(event) {
    if (!this.#shown.length || event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.#at = (this.#at + step + this.#shown.length) % this.#shown.length;
    else if (event.key === "Enter" || event.key === "Tab") this.#take(this.#shown[this.#at]);
    else if (event.key === "Escape") this.show([]);
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (step) this.#draw();
  }
}
