/**
 * Parts of the transcript that a browser leaves out while they are out of sight. Each is laid out once, whole: its
 * measured height stands in its place from then on, so that nothing moves when it comes into sight.
 */
export class Measured {
  #root;
  #width = 0;
  #sizes = new ResizeObserver((entries) => entries.forEach((entry) => this.#measured(entry)));

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
    new ResizeObserver(([{ contentRect }]) => this.#resized(contentRect.width)).observe(root);
  }

  /** @param {Element} part a new one */
  add(part) {
    this.#sizes.observe(part);
  }

  /** A part has other items, or others of them are shown. @param {Element} part */
  again(part) {
    if (!part.classList.contains("is-measured")) return;
    part.classList.remove("is-measured");
    this.add(part);
  }

  /** @param {ResizeObserverEntry} entry */
  #measured({ target, contentRect }) {
    if (!contentRect.height || !(target instanceof HTMLElement)) return;
    this.#sizes.unobserve(target);
    target.style.containIntrinsicBlockSize = `auto ${contentRect.height}px`;
    target.classList.add("is-measured");
  }

  /** Another width gives other heights. @param {number} width */
  #resized(width) {
    if (width === this.#width) return;
    const isFirst = this.#width === 0;
    this.#width = width;
    if (isFirst) return;
    for (const part of this.#root.children) this.again(part);
  }
}
