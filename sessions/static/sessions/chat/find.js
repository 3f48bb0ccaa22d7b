/** Find in the chat that is shown: over all of its messages, by the server's search. */

import { byId, h, icon, ICONS, setText } from "../elements/dom.js";
import { CHAT_ICONS } from "../elements/chat-icons.js";

const PAUSE_MS = 200;
/** The index of an older database grows with each search. */
const INDEX_MS = 1_000;
const MARKS = "found-words";
const MOST_MARKS = 500;
const TOP_PX = 72;

export class Find {
  #options;
  #input = /** @type {HTMLInputElement} */ (
    h("input", { type: "search", "aria-label": "Find in this chat", placeholder: "Find" })
  );
  #count = h("span.find-count", { role: "status" });
  #box;
  /** @type {any[]} hits as far as they are loaded, the newest first */
  #hits = [];
  #at = 0;
  /** @type {number|null} the page behind the loaded ones */
  #next = null;
  #asked = 0;
  #timer = 0;
  /** @type {string|null} */
  #sessionId = null;

  /** @param {{api: any, conversation: import("../conversation.js").Conversation}} options */
  constructor(options) {
    this.#options = options;
    const button = (label, path, press) =>
      h("button.icon-button", { type: "button", "aria-label": label, onclick: press }, icon(path));
    this.#box = h(
      "div.find",
      { role: "search", hidden: true },
      this.#input,
      this.#count,
      button("Older match", CHAT_ICONS.up, () => this.#step(1)),
      button("Newer match", CHAT_ICONS.down, () => this.#step(-1)),
      button("Close", ICONS.discard, () => this.close()),
    );
    this.#input.addEventListener("input", () => this.#later(PAUSE_MS));
    this.#box.addEventListener("keydown", (event) => this.#keydown(event));
    byId("scroll").parentElement?.append(this.#box);
  }

  open() {
    this.#box.hidden = false;
    this.#input.focus();
    this.#input.select();
    this.#search();
  }

  close() {
    if (this.#box.hidden) return;
    this.#box.hidden = true;
    this.#forget();
    this.#options.conversation.composer.focus();
  }

  /** A chat was drawn; the box is of one chat. @param {string|null} sessionId */
  drawn(sessionId) {
    if (sessionId !== this.#sessionId && !this.#box.hidden) this.close();
  }

  #keydown(event) {
    if (event.isComposing) return;
    if (event.key === "Escape") this.close();
    else if (event.target !== this.#input) return;
    else if (event.key === "Enter") this.#step(event.shiftKey ? -1 : 1);
    else if (event.key === "ArrowUp") this.#step(1);
    else if (event.key === "ArrowDown") this.#step(-1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #later(ms) {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#search(), ms);
  }

  #forget() {
    clearTimeout(this.#timer);
    this.#asked += 1;
    // A match on its way, whose messages are still loaded, would be marked behind the end.
    if (this.#hits.length) this.#options.conversation.transcript.lookFor(null);
    this.#hits = [];
    this.#next = null;
    this.#at = 0;
    setText(this.#count, "");
    globalThis.CSS.highlights?.delete(MARKS);
    for (const item of document.querySelectorAll(".item.is-found"))
      item.classList.remove("is-found");
  }

  async #search() {
    this.#forget();
    this.#sessionId = this.#options.conversation.sessionId;
    const q = this.#input.value.trim();
    if (!q || !this.#sessionId) return;
    const page = await this.#page(q, null);
    if (!page) return;
    if (!page.isWhole) this.#later(INDEX_MS);
    this.#show(0);
  }

  /** @param {string} q @param {number|null} before @returns {Promise<any>} null: it has failed, or is too late */
  async #page(q, before) {
    const asked = this.#asked;
    const page = await this.#options.api.find(this.#sessionId, q, before).catch(() => null);
    if (asked !== this.#asked) return null;
    if (page) {
      this.#hits.push(...page.results);
      this.#next = page.nextBefore;
    } else setText(this.#count, "Not reached");
    return page;
  }

  /** @param {number} by 1: to the match before this one in time */
  async #step(by) {
    const to = this.#at + by;
    const isBehind = to >= this.#hits.length;
    if (
      isBehind &&
      this.#next !== null &&
      !(await this.#page(this.#input.value.trim(), this.#next))
    )
      return;
    if (this.#hits.length) this.#show((to + this.#hits.length) % this.#hits.length);
  }

  #show(at) {
    const hit = this.#hits[at];
    const more = this.#next === null ? "" : "+";
    this.#at = at;
    setText(this.#count, hit ? `${at + 1} of ${this.#hits.length}${more}` : "None");
    if (!hit) return;
    const { conversation } = this.#options;
    const place = { key: hit.messageId, path: [], top: TOP_PX, isMarked: true };
    conversation.transcript.lookFor(place, (element) => this.#mark(element, hit));
    conversation.schedule();
  }

  /** Marks the words, and brings the first into sight. @param {HTMLElement} element */
  #mark(element, { rewound }) {
    const closed = document.querySelector('.show-rewound[aria-expanded="false"]');
    if (rewound && closed instanceof HTMLElement) closed.click();
    const ranges = rangesOf(element, patternOf(this.#input.value));
    globalThis.CSS.highlights?.set(MARKS, new Highlight(...ranges));
    const [first] = ranges;
    const box = byId("scroll").getBoundingClientRect();
    const place = (first ?? element).getBoundingClientRect();
    const isSeen = place.top > box.top + TOP_PX - 8 && place.bottom < box.bottom;
    const target = first?.startContainer.parentElement ?? element;
    if (!isSeen) target.scrollIntoView({ block: first ? "center" : "start" });
  }
}

/** The words of a query as the server reads them. @param {string} text @returns {RegExp|null} */
function patternOf(text) {
  const words = (text.match(/[\p{L}\p{N}]+/gu) ?? []).slice(0, 10);
  if (!words.length) return null;
  const each = words.map((word) => (word.length > 1 ? `${word}[\\p{L}\\p{N}]*` : word));
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${each.join("|")})(?![\\p{L}\\p{N}])`, "giu");
}

/** @param {HTMLElement} element @param {RegExp|null} pattern @returns {Range[]} */
function rangesOf(element, pattern) {
  const ranges = [];
  const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (pattern && texts.nextNode() && ranges.length < MOST_MARKS) {
    const { currentNode } = texts;
    if (!currentNode.parentElement?.closest(".prompt-text, .prose")) continue;
    for (const { index, 0: found } of (currentNode.textContent ?? "").matchAll(pattern)) {
      const range = new Range();
      range.setStart(currentNode, index);
      range.setEnd(currentNode, index + found.length);
      ranges.push(range);
    }
  }
  return ranges;
}
