/** Comments on lines: collected above the composer, the same on every device, sent as one prompt. */

import { h, setText } from "../elements/dom.js";
import { toast } from "../dialogs/toasts.js";
import { visible } from "../words/visible.js";
import { placeOf, promptOf } from "./comment-prompt.js";
import { SharedComments } from "./shared-comments.js";

const MOST = 100;
const MAX_QUOTE = 500;
const MAX_TEXT = 4_000;

/** @typedef {import("./shared-comments.js").Comment} Comment */

export class Comments {
  #options;
  #shared;

  /**
   * @param {{root: HTMLElement, api: any, storage: Storage|null, userId: string|number, session: () => string|null,
   *   submit: (text: string) => void}} options session: the chat that is shown
   */
  constructor(options) {
    this.#options = options;
    this.#shared = new SharedComments({
      ...options,
      now: () => performance.now(),
      changed: () => this.#draw(),
      refused: toast,
    });
    addEventListener("storage", () => this.#shared.restore()); // another tab of this browser
  }

  /** Follows the chat that is shown. */
  tick() {
    this.#shared.show(this.#options.session());
    this.#shared.tick();
  }

  /** The server tells the version of a chat's comments. @param {string} sessionId @param {number} version */
  told(sessionId, version) {
    this.tick();
    this.#shared.told(sessionId, version);
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

  /** @param {Omit<Comment, "id">} comment */
  #add(comment) {
    this.tick();
    if (this.#shared.all.length >= MOST) {
      toast("There are too many comments: send them first.");
      return false;
    }
    this.#shared.add(comment);
    toast("The comment waits above the prompt.");
    return true;
  }

  #send() {
    const comments = this.#shared.all;
    const text = promptOf(comments);
    if (!text) return;
    this.#options.submit(text);
    this.#shared.remove(comments.map(({ id }) => id));
  }

  #draw() {
    const { root } = this.#options;
    const comments = this.#shared.all.filter(isComment);
    const count = comments.length;
    root.hidden = !count;
    const items = comments.map((comment) => this.#item(comment));
    const send = h("button.primary", { type: "button", onclick: () => this.#send() });
    setText(send, count === 1 ? "Send the comment" : `Send ${count} comments`);
    root.replaceChildren(h("ul", {}, ...items), send);
  }

  /** @param {Comment} comment */
  #item(comment) {
    const place = placeOf(comment);
    const drop = () => this.#shared.remove([comment.id]);
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

/** What the browser has kept may be anything. @param {any} value @returns {value is Comment} */
function isComment(value) {
  return (
    typeof value?.id === "string" &&
    typeof value.path === "string" &&
    typeof value.text === "string" &&
    typeof value.quote === "string" &&
    Number.isInteger(value.line)
  );
}
