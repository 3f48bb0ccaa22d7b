/**
 * The place that a person reads in the transcript: an element, and how far below the upper edge it stands.
 *
 * @typedef {{key: string, path: number[], top: number, isMarked?: boolean}} Place key: or messageId, of the item; path: to the element in it, by the
 *   number of each child; top: in pixels, negative when its beginning is above the edge
 */

import { keep, keptJson } from "../../transport/browser/storage.js";

/** So deep the element is looked for: part, item, block, paragraph. */
const MAX_DEPTH = 4;
/** So many chats are remembered. */
const MAX_PLACES = 50;

/**
 * @param {HTMLElement} list @param {number} edge the upper edge of the window, in the viewport
 * @returns {{element: Element, top: number}|null} the first element that is in sight
 */
export function inSight(list, edge) {
  let element = firstBelow(list, edge);
  for (let depth = 1; element && depth < MAX_DEPTH; depth += 1)
    element = firstBelow(element, edge) ?? element;
  return element && { element, top: element.getBoundingClientRect().top - edge };
}

/** @param {Element} parent @param {number} edge */
function firstBelow(parent, edge) {
  for (const element of parent.children) {
    const { bottom, height } = element.getBoundingClientRect();
    if (bottom > edge && height > 1) return element;
  }
  return null;
}

/** The way from an item to an element in it. @param {Element} item @param {Element} element @returns {number[]} */
export function pathTo(item, element) {
  if (element === item || !element.parentElement) return [];
  const { parentElement } = element;
  return [...pathTo(item, parentElement), [...parentElement.children].indexOf(element)];
}

/** @param {Element} item @param {number[]} path @returns {Element} as near to the end of the path as there is one */
export function atPath(item, path) {
  const child = path.length ? item.children[path[0]] : null;
  return child ? atPath(child, path.slice(1)) : item;
}

/** The places of the chats of this tab: they outlive a reload, and the way back. */
export class Places {
  #storage;
  #key;

  /** @param {Storage|null} storage @param {string|number} userId */
  constructor(storage, userId) {
    this.#storage = storage;
    this.#key = `backstay.places.${userId}`;
  }

  /** @param {string} sessionId @returns {{place: Place, seen: string|null}|null} */
  get(sessionId) {
    return this.#all()[sessionId] ?? null;
  }

  /**
   * @param {string} sessionId @param {Place|null} place null: at the end @param {string|null} seen the last answer that
   *   the person has seen
   */
  set(sessionId, place, seen) {
    const { [sessionId]: _, ...others } = this.#all();
    const all = place ? { ...others, [sessionId]: { place, seen } } : others;
    const kept = Object.entries(all).slice(-MAX_PLACES);
    keep(this.#storage, this.#key, kept.length ? JSON.stringify(Object.fromEntries(kept)) : null);
  }

  #all() {
    return keptJson(this.#storage, this.#key) ?? {};
  }
}
