/** A text of which only the beginning came: a button that loads the whole, piece by piece. */

import { sizeText } from "../words/counts.js";
import { h, setText } from "../elements/dom.js";

/**
 * @typedef {{text: string, next: number|null, size: number, html: string|null}} Piece
 * @typedef {(part: string, start: number) => Promise<Piece>} Load
 */

export class WholeText {
  /** The button, to stand behind the text. */
  element = h("button.link.whole", { type: "button", hidden: true });
  /** @type {string|null} the text as far as it is loaded; null before */
  text = null;
  /** @type {string|null} */
  html = null;
  #part;
  #load;
  #show;
  #state = "open";
  /** The size of the whole and of its rendered text that were told last; 0: it came whole. */
  #size = 0;
  #htmlSize = 0;

  /**
   * @param {string} part @param {Load} load
   * @param {() => void} show draws the text again, after each piece
   */
  constructor(part, load, show) {
    this.#part = part;
    this.#load = load;
    this.#show = show;
    this.element.addEventListener("click", () => this.#loadAll());
  }

  /** Takes the marks of the object that is shown. @param {Record<string, number>|undefined} cut */
  update(cut) {
    const size = cut?.[this.#part] ?? 0;
    const htmlSize = (this.#part === "content" && cut?.html) || 0;
    if (size !== this.#size || htmlSize !== this.#htmlSize) {
      this.#size = size;
      this.#htmlSize = htmlSize;
      if (this.#state === "loaded") this.#state = "open"; // it has grown
    }
    if (!size && !htmlSize) this.text = this.html = null;
    this.#draw();
  }

  async #loadAll() {
    if (this.#state === "loading") return;
    this.#state = "loading";
    let text = "";
    this.#draw(text);
    try {
      for (let start = /** @type {number|null} */ (0); start !== null;) {
        const piece = await this.#load(this.#part, start);
        text += piece.text;
        this.text = text;
        this.html = piece.html ?? this.html;
        start = this.html === null ? piece.next : null; // the rendered text is the whole
        this.#show();
        this.#draw(text);
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
      this.#state = "loaded";
    } catch {
      this.#state = "failed";
    }
    this.#draw();
  }

  #draw(text = "") {
    const size = this.#size || this.#htmlSize;
    this.element.hidden = !size || this.#state === "loaded";
    this.element.setAttribute("aria-disabled", String(this.#state === "loading")); // disabled would lose the focus
    setText(
      this.element,
      {
        open: this.#size ? `Show all (${sizeText(size)})` : `Show formatted (${sizeText(size)})`,
        loading: `Loading ${sizeText(text.length)} of ${sizeText(size)}`,
        failed: "Loading failed. Try again",
        loaded: "",
      }[this.#state] ?? "",
    );
  }
}
