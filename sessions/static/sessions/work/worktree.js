/**
 * The branch of a chat in the header: of its worktree, whose end it opens, or of the folder that it works in, whose
 * changes it opens.
 */

import { byId, setText } from "../elements/dom.js";
import { notLoaded, toast } from "../dialogs/toasts.js";
import { visible } from "../words/visible.js";

const LOOK_MS = 1_000;

export class WorktreeButton {
  #api;
  #shown;
  #projects;
  #button = byId("open-worktree");
  #label = byId("worktree-label");
  #seen = "";

  /**
   * @param {any} api @param {() => import("../list/sidebar-row.js").Row|null} shown the row of the chat that is shown
   * @param {import("../new-chat/projects.js").Projects} projects
   */
  constructor(api, shown, projects) {
    this.#api = api;
    this.#shown = shown;
    this.#projects = projects;
    this.#button.addEventListener("click", () => this.#open());
    setInterval(() => this.#look(), LOOK_MS);
  }

  /** Another chat, or the end of a turn: the lines may be others. */
  #look() {
    const row = this.#shown();
    const ofFolder = row?.branch ? "" : (this.#projects.find(row?.projectId)?.git?.branch ?? "");
    const key = row?.branch ? `${row.sessionId} ${row.runState}` : ofFolder && `folder ${ofFolder}`;
    if (key === this.#seen) return;
    this.#seen = key;
    this.#button.hidden = !key;
    this.#button.setAttribute("aria-haspopup", ofFolder ? "false" : "dialog");
    if (ofFolder) this.#tell(visible(ofFolder), "Branch of the folder");
    else if (row && key) this.#count(row, key);
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

  #tell(text, what = "Worktree") {
    setText(this.#label, text);
    this.#button.title = `${what}: ${text}`;
  }

  async #open() {
    const row = this.#shown();
    if (!row?.branch) {
      byId("open-changes").click();
      return;
    }
    const { sessionId } = row;
    const again = () => (this.#seen = "");
    try {
      const facts = await this.#api.worktree(sessionId);
      const dialog = await import("./worktree-dialog.js").catch(notLoaded);
      dialog?.show(this.#api, sessionId, facts, again);
    } catch (failure) {
      toast(`The worktree was not read. ${failure instanceof Error ? failure.message : failure}`);
    }
  }
}
