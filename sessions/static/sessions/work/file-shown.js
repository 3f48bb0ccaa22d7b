/** One file: text with numbers and colours, Markdown, a picture, or a sentence. */

import { lineButton, pieceNode } from "../diff/diff-rows.js";
import { h } from "../elements/dom.js";
import { setHtml } from "../elements/html.js";
import { dataOf } from "../answers/blob-files.js";
import { toast } from "../dialogs/toasts.js";
import { visible } from "../words/visible.js";
import { linesOf } from "../diff/code-lines.js";
import { fill } from "./fill.js";

const WORDS = {
  binary: "This file is not text.",
  tooLarge: "This file is too large to be shown.",
};

export class FileShown {
  #root;
  #api;
  #comments;
  /** @type {string|null} the file that is shown */
  path = null;

  /** @param {HTMLElement} root @param {{api: any, comments: import("./comments.js").Comments}} options */
  constructor(root, { api, comments }) {
    this.#root = root;
    this.#api = api;
    this.#comments = comments;
  }

  clear() {
    this.path = null;
    this.#root.replaceChildren();
  }

  /** @param {string} session @param {any} file @param {number|null} line to be shown */
  draw(session, file, line) {
    this.path = file.path;
    const save = () => this.#save(session, file.path);
    const button = h("button.link", { type: "button", text: "Save the file", onclick: save });
    this.#root.replaceChildren(h("p.work-line", {}, button), ...this.#content(session, file, line));
  }

  /** @param {string} session @param {any} file @param {number|null} line @returns {HTMLElement[]} */
  #content(session, file, line) {
    if (file.kind === "image") return [this.#picture(session, file)];
    if (file.text === null)
      return [h("p.muted", { text: WORDS[/** @type {keyof typeof WORDS} */ (file.kind)] ?? "" })];
    if (file.kind !== "markdown" || !file.html || line !== null) return [this.#code(file, line)];
    const prose = h("div.prose");
    setHtml(prose, file.html);
    const source = () => this.#root.replaceChildren(this.#code(file, null));
    return [h("button.link", { type: "button", text: "Show the source", onclick: source }), prose];
  }

  /** @param {any} file @param {number|null} line */
  #code({ path, kind, text, html }, line) {
    const box = h("pre.diff-rows.code-rows", {
      tabindex: "0",
      role: "group",
      translate: "no",
      "aria-label": visible(path),
    });
    this.#comments.bind(box, path);
    const lines = linesOf(text, kind === "text" ? html : "");
    const make = (/** @type {number} */ from, /** @type {number} */ to) =>
      lines.slice(from, to).map((pieces, i) => rowElement(from + i + 1, pieces, line));
    fill(box, lines.length, make, () => reveal(box));
    return box;
  }

  /** @param {string} session @param {any} file */
  #picture(session, file) {
    const image = /** @type {HTMLImageElement} */ (
      h("img.tool-image", { alt: visible(file.path) })
    );
    dataOf(this.#api.fileAddress(session, file.path)).then(
      (data) => (image.src = data),
      () => (image.alt = "The image could not be loaded."),
    );
    return image;
  }

  /** @param {string} session @param {string} path */
  async #save(session, path) {
    try {
      const href = await dataOf(this.#api.fileAddress(session, path));
      h("a", { href, download: path.slice(path.lastIndexOf("/") + 1) }).click();
    } catch {
      toast("The file could not be loaded.");
    }
  }
}

/** @param {number} number @param {import("../diff/pieces.js").Coloured[]} pieces @param {number|null} wanted */
function rowElement(number, pieces, wanted) {
  const isWanted = number === wanted;
  const row = h(`span.diff-row${isWanted ? ".wanted" : ""}`, {}, lineButton(number));
  row.append(...pieces.map((piece) => pieceNode({ ...piece, isChanged: false })), "\n");
  return row;
}

/** @param {Element} box */
function reveal(box) {
  const row = box.querySelector(".wanted");
  if (!row) return;
  row.scrollIntoView({ block: "center" });
  row.querySelector("button")?.focus({ preventScroll: true });
}
