/** The switch of the diffs of a page, in its cards and in the changes of its folder: side by side, or one below another. */

import { arrange } from "./diff-sides.js";
import { byId } from "../elements/dom.js";
import { keep, kept } from "../../transport/browser/storage.js";

const KEY = "backstay.diff-sides";

export class Sides {
  #root = byId("work");
  #list = byId("work-list");
  #button = byId("work-sides");
  #storage;
  /** Rows come part by part, and more come where a gap is opened. */
  #observer = new MutationObserver((records) => {
    const parts = records.flatMap(({ target, addedNodes }) => [
      ...(isPart(target) ? [target] : []),
      ...[...addedNodes].filter(isPart),
    ]);
    for (const part of new Set(parts)) arrange(/** @type {Element} */ (part));
  });

  /** @param {Storage|null} storage keeps the choice */
  constructor(storage) {
    this.#storage = storage;
    this.#button.addEventListener("click", () => {
      const isWanted = this.#button.getAttribute("aria-pressed") !== "true";
      keep(this.#storage, KEY, isWanted ? "1" : null);
      this.#draw(isWanted);
    });
    this.#draw(kept(storage, KEY) === "1");
  }

  /** @param {boolean} isWanted */
  #draw(isWanted) {
    this.#button.setAttribute("aria-pressed", String(isWanted));
    this.#root.dataset.sides = String(isWanted);
    document.documentElement.dataset.sides = String(isWanted); // of the cards in the conversation
    this.#observer.disconnect();
    if (!isWanted) return;
    this.#observer.observe(this.#list, { childList: true, subtree: true });
    for (const part of this.#list.querySelectorAll(".rows-part")) arrange(part);
  }
}

/** @param {Node} node */
function isPart(node) {
  return node instanceof Element && node.classList.contains("rows-part");
}
