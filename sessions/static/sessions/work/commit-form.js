/** The form that commits what is staged; its message is proposed from the title of the chat. */

import { byId, setText } from "../elements/dom.js";

export class CommitForm {
  #form = byId("commit-form");
  #message = byId("commit-message");
  #commit;
  #isBusy = false;
  /** @type {string} the chat whose message is written */
  #session = "";

  /** @param {(session: string, message: string) => Promise<void>} commit */
  constructor(commit) {
    this.#commit = commit;
    this.#form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      this.#send();
    });
  }

  /** @param {string} session @param {string[]} staged the paths that a commit takes */
  draw(session, staged) {
    if (session !== this.#session || (staged.length && this.#form.hidden)) {
      this.#session = session;
      this.#message.value = byId("title").textContent;
      setText(byId("commit-error"), "");
    }
    this.#form.hidden = !staged.length;
    setText(
      byId("commit-button"),
      staged.length === 1 ? "Commit 1 file" : `Commit ${staged.length} files`,
    );
  }

  async #send() {
    if (this.#isBusy) return;
    this.#isBusy = true;
    setText(byId("commit-error"), "");
    try {
      await this.#commit(this.#session, this.#message.value);
      this.#form.hidden = true;
    } catch (failure) {
      const why = failure instanceof Error ? failure.message : "The commit failed.";
      setText(byId("commit-error"), why);
    } finally {
      this.#isBusy = false;
    }
  }
}
