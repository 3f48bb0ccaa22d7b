/** The projects beside the folder of a new chat: the recent ones to choose, and the question of trust. */

import { byId, h, setText } from "./dom.js";

const SHOWN = 6;

/** @typedef {import("./projects.js").Project} Project */

export class FolderProjects {
  #projects;
  #choose;
  #root = byId("recent-projects");
  #trust = byId("project-trust");

  /** @param {import("./projects.js").Projects} projects @param {(project: Project) => void} choose */
  constructor(projects, choose) {
    this.#projects = projects;
    this.#choose = choose;
    byId("trust-yes").addEventListener("click", () => this.#decide(true));
    this.#kind.addEventListener("change", () => {
      byId("worktree-name-field").hidden = !this.#kind.value;
      this.#name(this.#kind.value === "new" ? newName() : "");
      if (this.#kind.value) byId("worktree-name").select();
    });
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
    byId("worktree-field").hidden = !chosen?.git;
    byId("worktree-name-field").hidden = !this.#kind.value;
  }

  /** The worktree of a new chat. @returns {{branch: string}|{existing: string}|null} */
  get worktree() {
    const name = byId("worktree-name").value.trim();
    if (byId("worktree-field").hidden || !this.#kind.value) return null;
    return this.#kind.value === "existing" ? { existing: name } : { branch: name };
  }

  /** Another new chat: it works in the folder, unless a worktree is chosen again. */
  reset() {
    this.#kind.value = "";
    this.#name("");
    byId("worktree-name-field").hidden = true;
  }

  #name(text) {
    byId("worktree-name").value = text;
  }

  get #kind() {
    return /** @type {HTMLSelectElement} */ (byId("worktree-kind"));
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

/** A name that no other branch has, most likely. */
function newName() {
  return `chat-${new Date().toISOString().slice(0, 16).replace(/\D/g, "")}`;
}
