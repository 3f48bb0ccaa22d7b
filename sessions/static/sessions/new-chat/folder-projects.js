/** The projects beside the folder of a new chat: the recent ones to choose, and the question of trust. */

import { byId, h, setText } from "../elements/dom.js";
import { notLoaded } from "../dialogs/toasts.js";

const SHOWN = 6;

/** @typedef {import("./projects.js").Project} Project */

export class FolderProjects {
  #api;
  /** @type {import("./new-worktree.js").NewWorktree|null} */
  #worktree = null;
  /** @type {Project|null} */
  #chosen = null;
  #projects;
  #choose;
  #root = byId("recent-projects");
  #trust = byId("project-trust");

  /** @param {any} api @param {import("./projects.js").Projects} projects @param {(project: Project) => void} choose */
  constructor(api, projects, choose) {
    this.#api = api;
    this.#projects = projects;
    this.#choose = choose;
    byId("trust-yes").addEventListener("click", () => this.#decide(true));
    byId("trust-no").addEventListener("click", () => this.#decide(false));
  }

  /** @param {string} folder that is chosen now */
  draw(folder) {
    const shown = this.#projects.all.filter(({ whyNot }) => !whyNot).slice(0, SHOWN);
    this.#root.hidden = !shown.length;
    this.#root.replaceChildren(...shown.map((project) => this.#button(project, folder)));
    const chosen = this.#projects.of(folder);
    this.#trust.hidden = chosen?.trust !== null;
    this.#trust.dataset.project = chosen?.id ?? "";
    setText(byId("trust-name"), chosen?.name ?? "");
    this.#chosen = chosen;
    this.#place();
  }

  /** The worktree of a new chat; null: it works in the folder. */
  get worktree() {
    return this.#worktree?.value ?? null;
  }

  /** Another new chat. */
  reset() {
    this.#worktree?.reset();
  }

  /** A repository offers its branches. */
  async #place() {
    if (!this.#worktree && this.#chosen?.git) {
      const loaded = await import("./new-worktree.js").catch(notLoaded);
      if (loaded) this.#worktree ??= new loaded.NewWorktree(this.#api, byId("worktree-field"));
    }
    this.#worktree?.show(this.#chosen);
  }

  /** @param {Project} project @param {string} folder */
  #button(project, folder) {
    return h(
      "button.project",
      {
        type: "button",
        title: project.folder,
        "aria-pressed": String(project.folder === folder),
        onclick: () => this.#choose(project),
      },
      h("span", { text: project.name, dir: "auto" }),
      project.git && h("span.folder-branch", { text: project.git.branch || "git" }),
    );
  }

  /** @param {boolean} trust */
  async #decide(trust) {
    const project = this.#projects.find(this.#trust.dataset.project);
    if (!project) return;
    try {
      await this.#projects.decide(project, trust);
      byId("prompt").focus();
    } catch (failure) {
      setText(byId("trust-error"), failure instanceof Error ? failure.message : String(failure));
    }
  }
}
