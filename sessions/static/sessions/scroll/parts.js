/**
 * The elements of the transcript, in short lists: a browser leaves out a list that is out of sight as one, so that the
 * cost of a frame does not grow with the chat.
 */

import { h } from "../elements/dom.js";
import { Measured } from "./measured.js";

/** A part has so many elements at most. */
const PART_SIZE = 16;

export class Parts {
  #root;
  #measured;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
    this.#measured = new Measured(root);
  }

  clear() {
    this.#root.replaceChildren();
  }

  /** @param {Element} element */
  remove(element) {
    const part = element.parentElement;
    element.remove();
    if (!part) return;
    if (part.firstElementChild) this.#measured.again(part);
    else part.remove();
  }

  /** An element was shown or hidden. @param {Element} element */
  resized({ parentElement }) {
    if (parentElement) this.#measured.again(parentElement);
  }

  /** Brings elements into an order; one that is in its place is not touched. @param {Iterable<HTMLElement>} elements */
  order(elements) {
    /** @type {Element|null} */
    let last = null;
    for (const element of elements) {
      if (this.#behind(last) !== element) this.#put(element, last);
      last = element;
    }
  }

  /** @param {Element|null} last null: the beginning */
  #behind(last) {
    if (!last) return this.#root.firstElementChild?.firstElementChild ?? null;
    const next = last.parentElement?.nextElementSibling;
    return last.nextElementSibling ?? next?.firstElementChild ?? null;
  }

  /** @param {HTMLElement} element @param {Element|null} last */
  #put(element, last) {
    if (element.parentElement) this.remove(element);
    const part = this.#partBehind(last);
    if (last?.parentElement === part) last.after(element);
    else part.prepend(element);
    this.#measured.again(part);
  }

  /** The part for the element behind another; a full part is divided there. @param {Element|null} last */
  #partBehind(last) {
    const part = last?.parentElement;
    if (!last || !part) return this.#newPart((fresh) => this.#root.prepend(fresh));
    if (part.childElementCount < PART_SIZE) return part;
    const tail = [...part.children];
    tail.splice(0, tail.indexOf(last) + 1);
    const fresh = this.#newPart((made) => part.after(made));
    fresh.append(...tail);
    return tail.length ? part : fresh;
  }

  /** @param {(part: HTMLElement) => void} place */
  #newPart(place) {
    const part = h("ol.part");
    place(part);
    this.#measured.add(part);
    return part;
  }
}
