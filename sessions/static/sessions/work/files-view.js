/** The files of a chat's folder: one level at a time, and one file. */

import { byId, h, setText } from "../elements/dom.js";
import { visible } from "../words/visible.js";
import { FileShown } from "./file-shown.js";

export class FilesView {
  #api;
  #session = "";
  #list = byId("files-list");
  #note = byId("files-note");
  #shown;
  /** Counts requests: an answer that a later press has overtaken is dropped. */
  #asked = 0;

  /** @param {{api: any, comments: import("./comments.js").Comments}} options */
  constructor({ api, comments }) {
    this.#api = api;
    this.#shown = new FileShown(byId("file-shown"), { api, comments });
  }

  /** Begin with a chat. @param {string} session */
  show(session) {
    this.#session = session;
    this.#browse("");
  }

  /** Show a file at a line. @param {string} path @param {number|null} line */
  async open(path, line) {
    const file = await this.#ask(() => this.#api.file(this.#session, path));
    if (!file) return;
    this.#list.replaceChildren();
    this.#crumbs(file.path);
    this.#shown.draw(this.#session, file, line);
  }

  /** @param {string} path */
  async #browse(path, offset = 0) {
    const level = await this.#ask(() => this.#api.files(this.#session, path, offset));
    if (!level) return;
    this.#shown.clear();
    this.#crumbs(level.path);
    const rows = level.files.map((/** @type {any} */ row) => this.#row(row));
    this.#list.querySelector(".folder-more")?.remove();
    if (offset) this.#list.append(...rows);
    else this.#list.replaceChildren(...rows);
    if (!this.#list.children.length) setText(this.#note, "This folder is empty.");
    if (level.hasMore && rows.length) this.#list.append(this.#more(path, offset + rows.length));
  }

  /** @param {() => Promise<any>} read @returns {Promise<any>} null after a failure, which the person sees */
  async #ask(read) {
    const asked = ++this.#asked;
    setText(this.#note, "");
    try {
      const answer = await read();
      return asked === this.#asked ? answer : null;
    } catch (failure) {
      if (asked === this.#asked)
        setText(this.#note, failure instanceof Error ? failure.message : "");
      return null;
    }
  }

  /** The way from the chat's folder to here. @param {string} path */
  #crumbs(path) {
    const names = path ? path.split("/") : [];
    const crumbs = names.map((name, i) => this.#crumb(name, names.slice(0, i + 1).join("/")));
    byId("work-crumbs").replaceChildren(this.#crumb("Folder of the chat", ""), ...crumbs);
  }

  /** @param {string} name @param {string} path */
  #crumb(name, path) {
    const open = () => this.#go(path);
    return h("button.link", {
      type: "button",
      text: visible(name),
      translate: "no",
      onclick: open,
    });
  }

  /** A folder, or the file that is shown already. @param {string} path */
  #go(path) {
    if (path && path === this.#shown.path) this.open(path, null);
    else this.#browse(path);
  }

  /** @param {any} row */
  #row({ name, path, kind, isLink, size }) {
    const about = [kind === "folder" ? "" : sizeText(size), aboutLink(kind, isLink)];
    const label = h("span.folder-name", { text: visible(name), dir: "auto", translate: "no" });
    const note = h("span.muted", { text: about.filter(Boolean).join(" · ") });
    const opens = kind === "folder" ? () => this.#browse(path) : () => this.open(path, null);
    const canOpen = path !== null && (kind === "folder" || kind === "file");
    const named = kind === "folder" ? h("span", { text: "▸ ", "aria-hidden": "true" }) : null;
    if (!canOpen) return h("li", {}, h("span.folder-row", {}, label, note));
    const button = h("button.folder-row", { type: "button", onclick: opens, "data-kind": kind });
    button.append(h("span", {}, named, label), note);
    return h("li", {}, button);
  }

  /** @param {string} path @param {number} offset */
  #more(path, offset) {
    const open = () => this.#browse(path, offset);
    const props = { type: "button", text: "More files", onclick: open };
    return h("li.folder-more", {}, h("button.folder-row", props));
  }
}

/** @param {string} kind @param {boolean} isLink */
function aboutLink(kind, isLink) {
  if (kind === "link") return "leads out of the folder, or nowhere";
  if (kind === "other") return "no file";
  return isLink ? "link" : "";
}

/** @param {number|null} bytes */
function sizeText(bytes) {
  if (bytes === null) return "";
  if (bytes < 1_000) return `${bytes} B`;
  return bytes < 1_000_000
    ? `${(bytes / 1_000).toFixed(1)} kB`
    : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
