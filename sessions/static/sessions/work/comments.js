/** Comments on lines: collected above the composer, kept by the browser, sent as one prompt. */

import { keep, keptJson } from "../../transport/storage.js";
import { h, setText } from "../dom.js";
import { toast } from "../toasts.js";
import { visible } from "../visible.js";
import { placeOf, promptOf } from "./comment-prompt.js";

const MOST = 100;
const MAX_QUOTE = 500;
const MAX_TEXT = 4_000;

/** @typedef {import("./comment-prompt.js").Comment} Comment */

export class Comments {
  #options;
  /** @type {string|null} */
  #session = null;
  /** @type {Comment[]} */
  #comments = [];

  /**
   * @param {{root: HTMLElement, storage: Storage|null, userId: string|number, session: () => string|null,
   *   submit: (text: string) => void}} options session: the chat that is shown
   */
  constructor(options) {
    this.#options = options;
    addEventListener("storage", () => this.#read()); // another tab of this browser
  }

  /** Follows the chat that is shown. */
  tick() {
    if (this.#options.session() !== this.#session) this.#read();
  }

  /** Lets a press on the number of a line begin a comment. @param {HTMLElement} box of rows @param {string} path */
  bind(box, path) {
    box.addEventListener("click", (event) => {
      const button = /** @type {Element} */ (event.target).closest("button.diff-line");
      if (button instanceof HTMLButtonElement) this.#write(button, path);
    });
    box.addEventListener("keydown", (event) => step(box, event));
  }

  /** @param {HTMLButtonElement} button @param {string} path */
  #write(button, path) {
    const row = /** @type {HTMLElement} */ (button.closest(".diff-row"));
    if (row.nextElementSibling?.matches("form")) return;
    const line = Number(button.dataset.line);
    const isOld = row.classList.contains("removed");
    const field = /** @type {HTMLTextAreaElement} */ (
      h("textarea", { rows: "2", maxlength: MAX_TEXT, "aria-label": `Comment on line ${line}` })
    );
    const end = () => {
      form.remove();
      button.focus();
    };
    const add = (/** @type {Event} */ event) => {
      event.preventDefault();
      const text = field.value.trim();
      if (text && this.#add({ path, line, isOld, quote: quoteOf(row), text })) end();
    };
    const keydown = (/** @type {KeyboardEvent} */ event) => {
      event.stopPropagation();
      if (event.key === "Escape") end();
      else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) add(event);
      else return;
      event.preventDefault();
    };
    const form = h(
      "form.comment-form",
      { onsubmit: add, onkeydown: keydown },
      field,
      h("button.primary", { text: "Add the comment" }),
      h("button.quiet", { type: "button", text: "Cancel", onclick: end }),
    );
    row.after(form);
    field.focus();
  }

  /** @param {Comment} comment */
  #add(comment) {
    this.tick();
    if (this.#comments.length >= MOST) {
      toast("There are too many comments: send them first.");
      return false;
    }
    this.#set([...this.#comments, comment]);
    toast("The comment waits above the prompt.");
    return true;
  }

  #read() {
    this.#session = this.#options.session();
    const kept = this.#session ? keptJson(this.#options.storage, this.#key()) : null;
    this.#comments = Array.isArray(kept) ? kept.filter(isComment).slice(0, MOST) : [];
    this.#draw();
  }

  #key() {
    return `backstay.comments.${this.#options.userId}.${this.#session}`;
  }

  /** @param {Comment[]} comments */
  #set(comments) {
    this.#comments = comments;
    keep(this.#options.storage, this.#key(), comments.length ? JSON.stringify(comments) : null);
    this.#draw();
  }

  #send() {
    const text = promptOf(this.#comments);
    if (!text) return;
    this.#options.submit(text);
    this.#set([]);
  }

  #draw() {
    const { root } = this.#options;
    const count = this.#comments.length;
    root.hidden = !count;
    const items = this.#comments.map((comment) => this.#item(comment));
    const send = h("button.primary", { type: "button", onclick: () => this.#send() });
    setText(send, count === 1 ? "Send the comment" : `Send ${count} comments`);
    root.replaceChildren(h("ul", {}, ...items), send);
  }

  /** @param {Comment} comment */
  #item(comment) {
    const place = placeOf(comment);
    const drop = () => this.#set(this.#comments.filter((other) => other !== comment));
    return h(
      "li",
      {},
      h("span.comment-place", { text: visible(place), translate: "no" }),
      h("span.comment-text", { text: visible(comment.text), dir: "auto" }),
      h("button.link", {
        type: "button",
        text: "Remove",
        "aria-label": `Remove the comment on ${visible(place)}`,
        onclick: drop,
      }),
    );
  }
}

/** The arrows go from line to line. @param {HTMLElement} box @param {KeyboardEvent} event */
function step(box, event) {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const buttons = [...box.querySelectorAll("button.diff-line")];
  const at = buttons.indexOf(/** @type {Element} */ (document.activeElement));
  if (at < 0 && event.target !== box) return;
  const next = buttons[event.key === "ArrowDown" ? at + 1 : Math.max(0, at - 1)];
  if (!(next instanceof HTMLElement)) return;
  event.preventDefault();
  next.focus();
}

/** The line as it is shown, without its number and sign. @param {HTMLElement} row */
function quoteOf(row) {
  const copy = /** @type {HTMLElement} */ (row.cloneNode(true));
  for (const part of copy.querySelectorAll(".diff-line, .diff-sign, .sr-only")) part.remove();
  return (copy.textContent ?? "").replace(/\n$/, "").slice(0, MAX_QUOTE);
}

/** @param {any} value @returns {value is Comment} */
function isComment(value) {
  return (
    typeof value?.path === "string" &&
    typeof value.text === "string" &&
    typeof value.quote === "string" &&
    Number.isInteger(value.line)
  );
}
