/**
 * The transcript on the screen: keyed items, changed in place, at most once per animation frame.
 *
 * An item is drawn again only when its source is another object (the fold never changes one), so a flood of
 * deltas costs one text append per frame, whatever the length of the transcript.
 */

import { Parts } from "./parts.js";
import { atPath, inSight, pathTo } from "./place.js";
import { createPrompt } from "./prompt-item.js";

/** So close to the end counts as being at the end. */
const AT_END_PX = 48;

export class Transcript {
  #list;
  #scroller;
  #actions;
  /** @type {Map<string, {element: HTMLElement, update: (item: any) => void, item: import("./items.js").Item|null}>} */
  #shown = new Map();
  /** @type {import("./place.js").Place|null} a place to go to, once its item is held */
  #wanted = null;
  /** @type {(element: HTMLElement) => void} */
  #arrived = () => {};
  #following = true;
  #parts;
  top = 0; // where the scroller was last seen: to read it costs no layout
  #isForm = false;
  #onFollow;
  /** Makes an item that is no prompt: it is loaded with the first chat. @type {typeof import("./item-views.js").createItem|null} */
  createItem = null;

  /** @param {HTMLElement} scroller @param {HTMLElement} list @param {Omit<import("./item-views.js").Actions, "hold">} actions @param {(following: boolean) => void} onFollow */
  constructor(scroller, list, actions, onFollow) {
    this.#scroller = scroller;
    this.#list = list;
    this.#parts = new Parts(list);
    this.#actions = { ...actions, hold: () => this.#follow(false) };
    this.#onFollow = onFollow;
    list.addEventListener("click", ({ target }) => this.#pressed(/** @type {Element} */ (target)));
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // The composer growing, an opened block, a turned phone: a reader at the end stays at the end.
    new ResizeObserver(() => this.#following && this.#toEnd()).observe(list);
    new ResizeObserver(() => this.#following && this.#toEnd()).observe(scroller);
  }

  get following() {
    return this.#following;
  }

  /** The place that is read, null at the end. @returns {import("./place.js").Place|null} */
  get place() {
    if (this.#wanted || this.#following) return this.#wanted;
    const seen = inSight(this.#list, this.#edge);
    const shown =
      seen && [...this.#shown].find(([, { element }]) => element.contains(seen.element));
    if (!shown) return null;
    const [key, { element }] = shown;
    return { key, path: pathTo(element, seen.element), top: seen.top };
  }

  /** Whether a place was asked for whose item is not held yet. */
  get isLooking() {
    return this.#wanted !== null;
  }

  /**
   * Goes to a place, once its item is held.
   * @param {import("./place.js").Place|null} place null: no longer @param {(element: HTMLElement) => void} [shown] called there
   */
  lookFor(place, shown = () => {}) {
    this.#wanted = place;
    this.#arrived = shown;
  }

  /** @param {string} key PageUp, PageDown, Home or End */
  scroll(key) {
    const page = Math.max(40, this.#scroller.clientHeight - 60);
    if (key === "End") this.jumpToEnd();
    else if (key === "Home") this.#scroller.scrollTop = 0;
    else this.#scroller.scrollTop += key === "PageUp" ? -page : page;
  }

  /** Another session: nothing of the last one is kept. */
  clear() {
    this.#shown.clear();
    this.#parts.clear();
    this.#wanted = null;
    this.#follow(true);
  }

  /** A form stands in the transcript's place: it is read from its top. @param {boolean} hold */
  holdTop(hold) {
    if (hold && !this.#isForm) this.#scroller.scrollTop = 0;
    this.#isForm = hold;
    if (hold) this.#follow(true);
  }

  jumpToEnd() {
    this.#wanted = null;
    this.#follow(true);
    this.#toEnd();
  }

  /** @param {import("./items.js").Item[]} items */
  draw(items) {
    const anchor = this.#following ? null : inSight(this.#list, this.#edge);
    this.#reconcile(items);
    if (this.#wanted) this.#goTo(this.#wanted);
    else if (anchor) this.#keep(anchor);
    if (this.#following) this.#toEnd();
  }

  #reconcile(items) {
    const keys = new Set(items.map((item) => item.key));
    for (const [key, { element }] of this.#shown) {
      if (keys.has(key)) continue;
      this.#parts.remove(element);
      this.#shown.delete(key);
    }
    this.#parts.order(items.map((item) => this.#item(item).element));
  }

  #item(item) {
    let shown = this.#shown.get(item.key);
    if (!shown) {
      shown = { ...this.#create(item), item: null };
      this.#shown.set(item.key, shown);
    }
    if (!shown.item || !isSame(shown.item, item)) {
      shown.update(item);
      this.#setRewound(shown.element, Boolean(item.source.rewound));
    }
    shown.item = item;
    return shown;
  }

  /** @param {HTMLElement} element @param {boolean} isRewound */
  #setRewound(element, isRewound) {
    if (element.hasAttribute("data-rewound") === isRewound) return;
    element.toggleAttribute("data-rewound", isRewound);
    this.#parts.resized(element);
  }

  /** @param {import("./items.js").Item} item */
  #create(item) {
    const isPrompt =
      item.kind === "pending" || (item.kind === "message" && item.source.role === "user");
    if (isPrompt) return createPrompt(this.#actions);
    if (!this.createItem) throw new Error("a chat is drawn before its parts are loaded");
    return this.createItem(item, this.#actions);
  }

  // -- scrolling --------------------------------------------------------------------------------

  #distance() {
    return this.#scroller.scrollHeight - this.#scroller.scrollTop - this.#scroller.clientHeight;
  }

  /** Only scrolling up leaves the end: a banner or a keyboard that makes the window smaller moves it away too. */
  #scrolled() {
    const isUp = this.#scroller.scrollTop < this.top;
    this.top = this.#scroller.scrollTop;
    if (isUp) this.#wanted = null;
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
    this.top = this.#scroller.scrollTop; // no person has scrolled: another chat may be shorter
  }

  /** The upper edge of the window, in the viewport. */
  get #edge() {
    return this.#scroller.getBoundingClientRect().top;
  }

  /** An element that was in sight stays where it was. @param {{element: Element, top: number}} anchor */
  #keep({ element, top }) {
    if (!element.isConnected) return;
    const moved = element.getBoundingClientRect().top - this.#edge - top;
    if (Math.abs(moved) > 0.5) this.#scroller.scrollTop += moved;
  }

  /** @param {import("./place.js").Place} place */
  #goTo({ key, path, top, isMarked = false }) {
    const isIt = ({ item }) => item?.source.messageId === key;
    const shown = this.#shown.get(key) ?? [...this.#shown.values()].find(isIt);
    if (!shown) return;
    this.#wanted = null;
    this.#follow(false);
    this.#keep({ element: atPath(shown.element, path), top });
    this.top = this.#scroller.scrollTop;
    for (const one of this.#shown.values()) one.element.classList.remove("is-found");
    if (isMarked) shown.element.classList.add("is-found");
    this.#arrived(shown.element);
  }

  /** A block that is opened at the end stays under the pointer; one that is closed there leaves the reader at the end. @param {Element} target */
  #pressed(target) {
    if (!target.closest("summary, .unfold")) return;
    this.#follow(false);
    requestAnimationFrame(() => this.#distance() < AT_END_PX && this.#follow(true));
  }
}

/** @param {import("./items.js").Item} before @param {import("./items.js").Item} item */
function isSame(before, item) {
  return (
    before.source === item.source &&
    before.live === item.live &&
    before.prompt === item.prompt &&
    before.usage === item.usage &&
    before.place === item.place
  );
}
