/** The clone of a git repository into the folder that is open in the dialog. */

import { byId, setText } from "../elements/dom.js";

const LOOK_MS = 700;

export class FolderClone {
  #api;
  #on;
  /** @type {string|null} the clone that runs */
  #id = null;

  /**
   * @param {any} api
   * @param {{place: () => string|null, made: (path: string) => void, failed: (failure: unknown) => void}} on
   *   place: the folder that is open; made: a clone is whole
   */
  constructor(api, on) {
    this.#api = api;
    this.#on = on;
    byId("folder-clone").addEventListener("submit", (event) => this.#start(event));
    byId("clone-cancel").addEventListener("click", () => this.#cancel());
  }

  /** @param {SubmitEvent} event */
  async #start(event) {
    event.preventDefault();
    const url = byId("clone-url").value.trim();
    const place = this.#on.place();
    if (!url || !place || this.#id) return;
    try {
      const path = `${place.replace(/\/$/, "")}/${nameOf(url)}`;
      const { clone } = await this.#api.clone(url, path);
      this.#id = clone.id;
      await this.#follow(clone);
    } catch (failure) {
      this.#on.failed(failure);
    }
    this.#id = null;
    this.#draw("");
  }

  async #follow(clone) {
    while (clone.state === "running") {
      this.#draw(clone.phase ? `${clone.phase}: ${clone.percent} %` : "Cloning …");
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      clone = await this.#api.cloneState(clone.id);
    }
    if (clone.state === "failed") throw new Error(clone.error);
    if (clone.state !== "done") return;
    byId("clone-url").value = "";
    this.#on.made(clone.path);
  }

  async #cancel() {
    try {
      if (this.#id) await this.#api.cancelClone(this.#id);
    } catch (failure) {
      this.#on.failed(failure);
    }
  }

  #draw(text) {
    setText(byId("clone-progress"), text);
    byId("clone-start").hidden = Boolean(text);
    byId("clone-cancel").hidden = !text;
  }
}

/** The folder that git itself would clone to. @param {string} url */
function nameOf(url) {
  const last = url.replace(/\/+$/, "").split(/[/:]/).at(-1) ?? "";
  return last.replace(/\.git$/, "");
}
