/** The search: its field, the chats and messages that it finds, and the keys of the list of chats. */

import { byId } from "../elements/dom.js";
import { Found } from "./found.js";
import { stepFrom } from "./steps.js";

const PAUSE_MS = 200;
/** What the arrows walk: the chats with the headings of projects, then the messages that were found. */
const ITEMS = [
  "#sessions > li:not([hidden]) > :is(.row-link, .project-fold)",
  "#found:not([hidden]) a.found",
].join(",");
const HITS = "#sessions .row-link, #found:not([hidden]) a.found";

export class Search {
  #sidebar;
  #found;
  #field = byId("search");
  /** The text that was looked for. */
  #text = "";
  #looking = Promise.resolve();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /**
   * @param {{api: any, sidebar: import("./sidebar.js").Sidebar, conversation: import("../conversation.js").Conversation,
   *   navigation: import("../page/navigation.js").Navigation}} options
   */
  constructor(options) {
    this.#sidebar = options.sidebar;
    this.#found = new Found(options);
    // Behind the link's own listener, which lets alone what is opened in another tab.
    byId("sidebar").addEventListener("click", (event) => {
      const target = /** @type {Element} */ (event.target);
      if (event.defaultPrevented && target.closest(HITS)) this.#forget();
    });
  }

  /** Another text stands in the field: looks for it, once its writer pauses. */
  look() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lookNow(), PAUSE_MS);
  }

  /** A key was pressed in the field, in the list or at its foot. @param {string} key @param {HTMLElement} target */
  async press(key, target) {
    if (target.closest(".side-foot")) return pressInFoot(key, target);
    if (key === "Escape") return this.#escape(target);
    if (key === "Enter") return this.#openFirst();
    const row = target.closest("li");
    if (key === "ArrowRight") return pressRight(target, row);
    if (key === "ArrowLeft") return pressLeft(target, row);
    const items = itemsOf(ITEMS);
    const at = items.indexOf(/** @type {HTMLElement} */ (row?.querySelector("a, button")));
    if (at < 0 && target !== this.#field) return undefined;
    const next = stepFrom(at, items.length, key);
    (next === null ? this.#field : items[next])?.focus();
    return undefined;
  }

  async #lookNow() {
    clearTimeout(this.#timer);
    const text = this.#field.value.trim();
    if (text !== this.#text) {
      this.#text = text;
      this.#looking = Promise.all([this.#sidebar.find(text), this.#found.search(text)]).then(
        () => {},
      );
    }
    await this.#looking;
  }

  /** The field is empty, and the whole list is here. */
  async #forget() {
    this.#field.value = "";
    await this.#lookNow();
  }

  /** @param {HTMLElement} target */
  async #escape(target) {
    await this.#forget();
    if (document.activeElement !== target && document.activeElement !== document.body) return;
    const [stop = this.#field] = itemsOf('#sessions [tabindex="0"]');
    stop.focus();
  }

  /** Opens the first hit of the text that stands in the field, not of one before it. */
  async #openFirst() {
    await this.#lookNow();
    itemsOf(HITS)[0]?.click();
  }
}

/** Right: the button of a row, the chats of a project that is folded, then its page. */
function pressRight(target, row) {
  if (target.getAttribute("aria-expanded") === "false") target.click();
  else row?.querySelector(".row-more")?.focus();
}

/** Left: back to the row, and folds the chats of a project. */
function pressLeft(target, row) {
  if (target.getAttribute("aria-expanded") === "true") target.click();
  else row?.querySelector(".row-link, .project-fold")?.focus();
}

/** The foot of the list is one stop for Tab, too. */
function pressInFoot(key, target) {
  const items = itemsOf(".side-foot :is(a, button)").filter((item) => item.checkVisibility());
  const ways = { ArrowRight: "ArrowDown", ArrowLeft: "ArrowUp", Home: "Home", End: "End" };
  const next = ways[key] ? stepFrom(items.indexOf(target), items.length, ways[key]) : null;
  if (next === null) return;
  for (const item of items) item.tabIndex = item === items[next] ? 0 : -1;
  items[next].focus();
}

/** @param {string} selector @returns {HTMLElement[]} */
function itemsOf(selector) {
  return [...document.querySelectorAll(selector)].map((item) => /** @type {any} */ (item));
}
