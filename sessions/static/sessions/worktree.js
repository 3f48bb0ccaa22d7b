/** The worktree of a chat: its branch in the header, which opens the dialog of its end. */

import { byId, setText } from "./dom.js";
import { notLoaded, toast } from "./toasts.js";
import { visible } from "./visible.js";

const LOOK_MS = 1_000;

export class WorktreeButton {
  #api;
  #shown;
  #button = byId("open-worktree");
  #label = byId("worktree-label");
  #seen = "";

  /** @param {any} api @param {() => import("./sidebar-row.js").Row|null} shown the row of the chat that is shown */
  constructor(api, shown) {
    this.#api = api;
    this.#shown = shown;
    this.#button.addEventListener("click", () => this.#open());
    setInterval(() => this.#look(), LOOK_MS);
  }

  /** Another chat, or the end of a turn: the lines may be others. */
  #look() {
    const row = this.#shown();
    const key = row?.branch ? `${row.sessionId} ${row.runState}` : "";
    if (key === this.#seen) return;
    this.#seen = key;
    this.#button.hidden = !key;
    if (row && key) this.#count(row, key);
  }

  async #count({ sessionId, branch }, key) {
    if (!this.#label.textContent?.startsWith(visible(branch))) this.#tell(visible(branch));
    try {
      const { added, removed, state } = await this.#api.worktree(sessionId);
      if (key !== this.#seen) return;
      const lines = ["merged", "discarded"].includes(state) ? state : `+${added} −${removed}`;
      this.#tell(`${visible(branch)} ${lines}`);
    } catch {
      this.#seen = ""; // asked again
    }
  }

  #tell(text) {
    setText(this.#label, text);
    this.#button.title = `Worktree: ${text}`;
  }

  async #open() {
    const sessionId = this.#shown()?.sessionId;
    const again = () => (this.#seen = "");
    try {
      if (!sessionId) return;
      const facts = await this.#api.worktree(sessionId);
      const dialog = await import("./worktree-dialog.js").catch(notLoaded);
      dialog?.show(this.#api, sessionId, facts, again);
    } catch (failure) {
      toast(`The worktree was not read. ${failure instanceof Error ? failure.message : failure}`);
    }
  }
}
