/** The folders of the server, level by level: one is chosen, made or cloned. */

import { byId, h, setText } from "../elements/dom.js";
import { FolderClone } from "./folder-clone.js";

/** @typedef {{name: string, path: string, git: {branch: string}|null}} Folder */
/** @typedef {{path: string, parent: string|null, folders: Folder[], hasMore: boolean}} Level */

export class FolderDialog {
  #api;
  #projects;
  #chosen;
  #dialog = byId("folder-dialog");
  #list = byId("folder-list");
  #place = byId("folder-place");
  #error = byId("folder-error");
  #name = byId("folder-new-name");
  #use = byId("folder-use");
  /** @type {Level|null} */
  #level = null;
  /** Counts requests: an answer that a later click has overtaken is dropped. */
  #asked = 0;

  /**
   * @param {{api: any, projects: import("./projects.js").Projects, chosen: (path: string) => void}} options
   */
  constructor({ api, projects, chosen }) {
    this.#api = api;
    this.#projects = projects;
    this.#chosen = chosen;
    new FolderClone(api, {
      place: () => this.#level?.path ?? null,
      made: (path) => this.#open(path),
      failed: (failure) => this.#fail(failure),
    });
    byId("folder-new").addEventListener("submit", (event) => this.#make(event));
    this.#use.addEventListener("click", () => this.#accept());
  }

  /** Open the dialog at a folder, "" for the roots. @param {string} path */
  async show(path) {
    this.#list.replaceChildren();
    this.#dialog.showModal();
    if (!(path && (await this.#open(path)))) await this.#open("");
  }

  /** Show one level; return whether there is one. @param {string} path */
  async #open(path, offset = 0) {
    const asked = ++this.#asked;
    setText(this.#error, "");
    this.#setBusy(true);
    /** @type {Level} */
    let level;
    try {
      level = await this.#api.folders(path, offset);
    } catch (failure) {
      if (asked === this.#asked) {
        this.#setBusy(false);
        this.#fail(failure);
      }
      return false;
    }
    if (asked === this.#asked) {
      this.#level = level;
      this.#setBusy(false);
      this.#draw(level, offset);
    }
    return true;
  }

  /** While a level is on its way nothing can be done to the one before it. @param {boolean} isBusy */
  #setBusy(isBusy) {
    this.#list.setAttribute("aria-busy", String(isBusy));
    this.#name.disabled = isBusy;
    this.#use.disabled = isBusy || !this.#level?.path;
  }

  /** @param {Level} level @param {number} offset */
  #draw(level, offset) {
    const hadFocus = this.#list.contains(document.activeElement) || !offset;
    setText(this.#place, level.path || "Folders on this server");
    byId("folder-new").hidden = !level.path;
    this.#list.querySelector(".folder-more")?.remove();
    const rows = level.folders.map((folder) => this.#row(folder));
    if (offset) this.#list.append(...rows);
    else this.#list.replaceChildren(...this.#up(level), ...rows);
    if (!this.#list.children.length) {
      this.#list.append(h("li.muted", { text: "No folders in here." }));
    }
    if (level.hasMore) this.#list.append(this.#more(level, offset + level.folders.length));
    if (hadFocus) (rows[0]?.querySelector("button") ?? this.#use).focus();
  }

  /** @param {Level} level */
  #up(level) {
    if (level.parent === null) return [];
    const up = () => this.#open(/** @type {string} */ (level.parent));
    return [h("li", {}, h("button.folder-row", { type: "button", onclick: up, text: "↑ Up" }))];
  }

  /** @param {Folder} folder */
  #row(folder) {
    const branch = folder.git && h("span.folder-branch", { text: folder.git.branch || "git" });
    return h(
      "li",
      {},
      h(
        "button.folder-row",
        { type: "button", onclick: () => this.#open(folder.path) },
        h("span.folder-name", { text: folder.name, dir: "auto" }),
        branch,
      ),
    );
  }

  /** @param {Level} level @param {number} offset */
  #more(level, offset) {
    const open = () => this.#open(level.path, offset);
    const label = level.folders.length ? "More folders" : "Too many folders to list: type the path";
    const more = level.folders.length
      ? h("button.folder-row", { type: "button", onclick: open, text: label })
      : h("span.muted", { text: label });
    return h("li.folder-more", {}, more);
  }

  /** A folder that was chosen is a project from then on. */
  async #accept() {
    const path = this.#level?.path;
    if (!path) return;
    try {
      await this.#projects.make(path);
    } catch (failure) {
      this.#fail(failure);
      return;
    }
    this.#chosen(path);
    this.#dialog.close();
    byId("prompt").focus();
  }

  /** @param {SubmitEvent} event */
  async #make(event) {
    event.preventDefault();
    const name = this.#name.value.trim();
    if (!name || !this.#level?.path) return;
    try {
      const made = await this.#api.makeFolder(`${this.#level.path.replace(/\/$/, "")}/${name}`);
      this.#name.value = "";
      await this.#open(made.folder.path);
    } catch (failure) {
      this.#fail(failure);
    }
  }

  /** @param {unknown} failure */
  #fail(failure) {
    setText(this.#error, failure instanceof Error ? failure.message : String(failure));
  }
}
