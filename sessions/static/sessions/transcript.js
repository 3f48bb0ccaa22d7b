/**
 * The transcript on the screen: keyed items, changed in place, at most once per animation frame.
 *
 * An item is drawn again only when its source is another object (the fold never changes one), so a flood of
 * deltas costs one text append per frame, whatever the length of the transcript.
 */

import { createItem } from "./item-views.js";

/** So close to the end counts as being at the end. */
const AT_END_PX = 48;

export class Transcript {
  #list;
  #scroller;
  #actions;
  /** @type {Map<string, {element: HTMLElement, update: (item: any) => void, source: any, live: any}>} */
  #shown = new Map();
  #following = true;
  #top = 0; // where the scroller was last seen
  #isForm = false;
  #onFollow;

  /** @param {HTMLElement} scroller @param {HTMLElement} list @param {Omit<import("./item-views.js").Actions, "hold">} actions @param {(following: boolean) => void} onFollow */
  constructor(scroller, list, actions, onFollow) {
    this.#scroller = scroller;
    this.#list = list;
    this.#actions = { ...actions, hold: () => this.#follow(false) };
    this.#onFollow = onFollow;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // The composer growing, an opened block, a turned phone: a reader at the end stays at the end.
    new ResizeObserver(() => this.#following && this.#toEnd()).observe(list);
    new ResizeObserver(() => this.#following && this.#toEnd()).observe(scroller);
  }

  get following() {
    return this.#following;
  }

  /** Another session: nothing of the last one is kept. */
  clear() {
    this.#shown.clear();
    this.#list.replaceChildren();
    this.#follow(true);
  }

  /** A form stands in the transcript's place: it is read from its top. @param {boolean} hold */
  holdTop(hold) {
    if (hold && !this.#isForm) this.#scroller.scrollTop = 0;
    this.#isForm = hold;
    if (hold) this.#follow(true);
  }

  jumpToEnd() {
    this.#follow(true);
    this.#toEnd();
  }

  /** @param {import("./items.js").Item[]} items */
  draw(items) {
    const anchor = this.#following ? null : this.#anchor();
    this.#reconcile(items);
    if (this.#following) this.#toEnd();
    else if (anchor) this.#keep(anchor);
  }

  #reconcile(items) {
    const keys = new Set(items.map((item) => item.key));
    for (const [key, { element }] of this.#shown) {
      if (keys.has(key)) continue;
      element.remove();
      this.#shown.delete(key);
    }
    let place = this.#list.firstElementChild;
    for (const item of items) {
      const { element } = this.#item(item);
      if (element === place) place = place.nextElementSibling;
      else this.#list.insertBefore(element, place);
    }
  }

  #item(item) {
    let shown = this.#shown.get(item.key);
    if (!shown) {
      shown = { ...createItem(item, this.#actions), source: undefined, live: undefined };
      this.#shown.set(item.key, shown);
    }
    if (shown.source !== item.source || shown.live !== item.live) {
      shown.update(item);
      shown.source = item.source;
      shown.live = item.live;
    }
    return shown;
  }

  // -- scrolling --------------------------------------------------------------------------------

  #distance() {
    return this.#scroller.scrollHeight - this.#scroller.scrollTop - this.#scroller.clientHeight;
  }

  /** Only scrolling up leaves the end: a banner or a keyboard that makes the window smaller moves it away too. */
  #scrolled() {
    const isUp = this.#scroller.scrollTop < this.#top;
    this.#top = this.#scroller.scrollTop;
    if (this.#isForm || this.#distance() < AT_END_PX) this.#follow(true);
    else if (isUp) this.#follow(false);
  }

  #follow(following) {
    if (following === this.#following) return;
    this.#following = following;
    this.#onFollow(following);
  }

  #toEnd() {
    if (this.#isForm) return;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#top = this.#scroller.scrollTop; // no person has scrolled: another chat may be shorter
  }

  /** The first item that is in sight, and where: it stays there when older ones are put above it. */
  #anchor() {
    const top = this.#scroller.getBoundingClientRect().top;
    for (const element of this.#list.children) {
      const box = element.getBoundingClientRect();
      if (box.bottom > top) return { element, top: box.top };
    }
    return null;
  }

  #keep({ element, top }) {
    if (!element.isConnected) return;
    const moved = element.getBoundingClientRect().top - top;
    if (Math.abs(moved) > 0.5) this.#scroller.scrollTop += moved;
  }
}
