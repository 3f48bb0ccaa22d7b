/**
 * The transcript on the screen: keyed items, changed in place, at most once per animation frame.
 *
 * An item is drawn again only when its source is another object (the fold never changes one), so a flood of
 * deltas costs one text append per frame, whatever the length of the transcript.
 */

import { Parts } from "../scroll/parts.js";
import { atPath, inSight, pathTo } from "../scroll/place.js";
import { createPrompt } from "./prompt-item.js";
import { Scrolling } from "../scroll/scrolling.js";

export class Transcript {
  #list;
  #actions;
  /** @type {Map<string, {element: HTMLElement, update: (item: any) => void, item: import("../log/items.js").Item|null}>} */
  #shown = new Map();
  /** @type {import("../scroll/place.js").Place|null} a place to go to, once its item is held */
  #wanted = null;
  /** @type {(element: HTMLElement) => void} */
  #arrived = () => {};
  #parts;
  #scrolling;
  /** Makes an item that is no prompt: it is loaded with the first chat. @type {typeof import("./item-views.js").createItem|null} */
  createItem = null;

  /** @param {HTMLElement} scroller @param {HTMLElement} list @param {Omit<import("./item-views.js").Actions, "hold">} actions @param {(following: boolean) => void} onFollow */
  constructor(scroller, list, actions, onFollow) {
    this.#list = list;
    this.#parts = new Parts(list);
    const onUp = () => (this.#wanted = null);
    this.#scrolling = new Scrolling(scroller, list, { onFollow, onUp });
    this.#actions = { ...actions, hold: () => this.#scrolling.follow(false) };
    list.addEventListener("click", ({ target }) => this.#pressed(/** @type {Element} */ (target)));
  }

  get following() {
    return this.#scrolling.following;
  }

  /** The pixels above the window, as last seen: reading them costs no layout. */
  get top() {
    return this.#scrolling.top;
  }

  /** The place that is read, null at the end. @returns {import("../scroll/place.js").Place|null} */
  get place() {
    if (this.#wanted || this.following) return this.#wanted;
    const seen = inSight(this.#list, this.#scrolling.edge);
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
   * @param {import("../scroll/place.js").Place|null} place null: no longer @param {(element: HTMLElement) => void} [shown] called there
   */
  lookFor(place, shown = () => {}) {
    this.#wanted = place;
    this.#arrived = shown;
  }

  /** @param {string} key PageUp, PageDown, Home or End */
  scroll(key) {
    if (key === "End") this.jumpToEnd();
    else this.#scrolling.scroll(key);
  }

  /** Another session: nothing of the last one is kept. */
  clear() {
    this.#shown.clear();
    this.#parts.clear();
    this.#wanted = null;
    this.#scrolling.follow(true);
  }

  /** A form stands in the transcript's place: it is read from its top. @param {boolean} hold */
  holdTop(hold) {
    this.#scrolling.holdTop(hold);
  }

  jumpToEnd() {
    this.#wanted = null;
    this.#scrolling.follow(true);
    this.#scrolling.toEnd();
  }

  /** @param {import("../log/items.js").Item[]} items */
  draw(items) {
    const anchor = this.following ? null : inSight(this.#list, this.#scrolling.edge);
    this.#reconcile(items);
    if (this.#wanted) this.#goTo(this.#wanted);
    else if (anchor) this.#keep(anchor);
    this.#scrolling.toEnd();
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

  /** @param {import("../log/items.js").Item} item */
  #create(item) {
    const isPrompt =
      item.kind === "pending" || (item.kind === "message" && item.source.role === "user");
    if (isPrompt) return createPrompt(this.#actions);
    if (!this.createItem) throw new Error("a chat is drawn before its parts are loaded");
    return this.createItem(item, this.#actions);
  }

  /** An element that was in sight stays where it was. @param {{element: Element, top: number}} anchor */
  #keep({ element, top }) {
    if (!element.isConnected) return;
    this.#scrolling.moveBy(element.getBoundingClientRect().top - this.#scrolling.edge - top);
  }

  /** @param {import("../scroll/place.js").Place} place */
  #goTo({ key, path, top, isMarked = false }) {
    const isIt = ({ item }) => item?.source.messageId === key;
    const shown = this.#shown.get(key) ?? [...this.#shown.values()].find(isIt);
    if (!shown) return;
    this.#wanted = null;
    this.#keep({ element: atPath(shown.element, path), top });
    this.#scrolling.follow(this.#scrolling.isAtEnd);
    for (const one of this.#shown.values()) one.element.classList.remove("is-found");
    if (isMarked) shown.element.classList.add("is-found");
    this.#arrived(shown.element);
  }

  /** A block that is opened at the end stays under the pointer; one that is closed there leaves the reader at the end. @param {Element} target */
  #pressed(target) {
    if (!target.closest("summary, .unfold")) return;
    this.#scrolling.follow(false);
    requestAnimationFrame(() => this.#scrolling.isNearEnd && this.#scrolling.follow(true));
  }
}

/** @param {import("../log/items.js").Item} before @param {import("../log/items.js").Item} item */
function isSame(before, item) {
  return (
    before.source === item.source &&
    before.live === item.live &&
    before.prompt === item.prompt &&
    before.usage === item.usage &&
    before.place === item.place
  );
}
