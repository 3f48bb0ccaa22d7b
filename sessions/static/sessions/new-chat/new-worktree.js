/** The place of a new chat in its repository: the folder, or a worktree on a new branch or on one that exists. */

import { h, setText } from "../elements/dom.js";

/** @typedef {import("./projects.js").Project} Project */

const KINDS = [
  ["", "in the folder"],
  ["new", "in a worktree: new branch"],
  ["existing", "in a worktree: existing branch"],
];
/** As git takes it at most. */
const MAX_CHARS = 200;

export class NewWorktree {
  #api;
  #root;
  /** @type {Project|null} */
  #project = null;
  /** @type {string} the project whose branches are listed */
  #listedOf = "";
  #kind = /** @type {HTMLSelectElement} */ (
    h(
      "select",
      { id: "worktree-kind" },
      ...KINDS.map(([value, text]) => h("option", { value, text })),
    )
  );
  #name = input("worktree-name", "fix-login");
  #from = input("worktree-from", "");
  #nameField = h("label", {}, "Branch ", this.#name);
  #fromField = h("label", {}, "From ", this.#from);
  #all = h("datalist", { id: "worktree-all" });
  #free = h("datalist", { id: "worktree-free" });
  #note = h("p.muted.small", { role: "status" });

  /** @param {any} api @param {HTMLElement} root */
  constructor(api, root) {
    this.#api = api;
    this.#root = root;
    this.#from.setAttribute("list", "worktree-all");
    const kind = h("label", {}, "The chat works ", this.#kind);
    root.append(kind, this.#nameField, this.#fromField, this.#all, this.#free, this.#note);
    this.#kind.addEventListener("change", () => {
      this.#name.value = this.#kind.value === "new" ? newName() : "";
      this.#draw();
      if (this.#kind.value) this.#name.select();
    });
    this.#draw();
  }

  /** @param {Project|null} project null, or one without git: the field is hidden */
  show(project) {
    if (project?.id !== this.#project?.id) this.reset();
    this.#project = project;
    this.#root.hidden = !project?.git;
    this.#from.placeholder = project?.git?.branch || "HEAD";
  }

  /** @returns {{branch: string, from?: string}|{existing: string}|null} null: the chat works in the folder */
  get value() {
    const [name, from] = [this.#name, this.#from].map(({ value }) => value.trim());
    if (this.#root.hidden || !this.#kind.value) return null;
    if (this.#kind.value === "existing") return { existing: name };
    return { branch: name, ...(from && { from }) };
  }

  /** Another new chat: it works in the folder, unless a worktree is chosen again. */
  reset() {
    for (const field of [this.#kind, this.#name, this.#from]) field.value = "";
    this.#draw();
  }

  #draw() {
    const kind = this.#kind.value;
    this.#nameField.hidden = !kind;
    this.#fromField.hidden = kind !== "new";
    this.#note.hidden = !kind;
    // Only a branch that is checked out nowhere can be taken.
    if (kind === "existing") this.#name.setAttribute("list", "worktree-free");
    else this.#name.removeAttribute("list");
    if (kind) this.#list();
  }

  /** Reads the branches of the project, once. */
  async #list() {
    const id = this.#project?.id ?? "";
    if (id === this.#listedOf) return;
    this.#listedOf = id;
    setText(this.#note, "");
    try {
      const { current, branches, hasMore } = await this.#api.branches(id);
      if (id !== this.#project?.id) return;
      this.#all.replaceChildren(...branches.map(({ name }) => h("option", { value: name })));
      const free = branches.filter(({ isFree }) => isFree);
      this.#free.replaceChildren(...free.map(({ name }) => h("option", { value: name })));
      this.#from.placeholder = current || "HEAD";
      setText(
        this.#note,
        hasMore ? `The ${branches.length} last changed branches are offered.` : "",
      );
    } catch (failure) {
      this.#listedOf = "";
      setText(this.#note, failure instanceof Error ? failure.message : String(failure));
    }
  }
}

/** @param {string} id @param {string} placeholder */
function input(id, placeholder) {
  const fixed = { type: "text", maxlength: MAX_CHARS, spellcheck: "false", dir: "ltr" };
  const props = { ...fixed, id, placeholder, autocomplete: "off", autocapitalize: "none" };
  return /** @type {HTMLInputElement} */ (h("input", props));
}

/** A name that no other branch has, most likely. */
function newName() {
  return `chat-${new Date().toISOString().slice(0, 16).replace(/\D/g, "")}`;
}
