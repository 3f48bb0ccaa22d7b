/** The folder of a new chat: a recent project, chosen from the folders of the server, or typed. */

import { byId, setText } from "../elements/dom.js";
import { FolderProjects } from "./folder-projects.js";
import { notLoaded } from "../dialogs/toasts.js";

export class FolderField {
  #api;
  #input = byId("folder");
  /** @type {import("./folder-dialog.js").FolderDialog|null} */
  #dialog = null;
  #projects;
  #recent;

  /**
   * @param {{api: any, projects: import("./projects.js").Projects,
   *   chosen: (project: import("./projects.js").Project) => void}} options
   */
  constructor({ api, projects, chosen }) {
    this.#api = api;
    this.#projects = projects;
    this.#recent = new FolderProjects(api, projects, (project) => {
      this.#set(project.folder);
      chosen(project);
    });
    byId("folder-choose").addEventListener("click", () => this.#choose());
    byId("folder-clear").addEventListener("click", () => this.#set(""));
    this.#input.addEventListener("input", () => this.draw());
  }

  get value() {
    return this.#input.value.trim();
  }

  /** The folder or the project of a new chat. @returns {{cwd: string|null, projectId: string|null, worktree: object|null}} */
  get choice() {
    const project = this.#projects.of(this.value);
    const cwd = project ? null : this.value || null;
    return { cwd, projectId: project?.id ?? null, worktree: this.#recent.worktree };
  }

  /** @param {string} path */
  restore(path) {
    this.#input.value = path;
    this.draw();
  }

  /** Show the field where folders can be chosen, else the reason why not. */
  async load() {
    const { refused } = this.#projects;
    byId("folder-field").hidden = Boolean(refused);
    setText(byId("folder-refused"), refused);
    this.#recent.reset();
    if (refused) this.restore("");
    else await this.#projects.load();
  }

  draw() {
    byId("folder-clear").hidden = !this.value;
    this.#recent.draw(this.value);
  }

  #set(path) {
    this.#input.value = path;
    this.draw();
    this.#input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  async #choose() {
    const loaded = await import("./folder-dialog.js").catch(notLoaded);
    this.#dialog ??=
      loaded &&
      new loaded.FolderDialog({
        api: this.#api,
        projects: this.#projects,
        chosen: (path) => this.#set(path),
      });
    await this.#dialog?.show(this.value);
  }
}
