/** Stopping the turn that the Stop button was drawn for: first an interrupt, then by force. */

import { stoppable } from "../log/store.js";

export class Stopping {
  #options;
  #sessionId = "";
  /** @type {{clientMsgId: string, turnId: string|null}|null} the turn that a press would end */
  #target = null;
  /** @type {string|null} the prompt whose end was asked for here */
  #asked = null;

  /** @param {{actions: any, changed: () => void}} options */
  constructor(options) {
    this.#options = options;
  }

  /** Turns to another chat. */
  reset() {
    this.#asked = null;
  }

  /**
   * Aims at the turn of a view, null without one.
   * @param {string|null} sessionId @param {import("../log/store.js").View} view
   * @returns {{running: boolean, stopping: boolean}} the state of the button
   */
  aim(sessionId, { snapshot, stopping }) {
    this.#sessionId = sessionId ?? "";
    this.#target = sessionId ? stoppable(snapshot) : null;
    if (this.#asked !== this.#target?.clientMsgId) this.#asked = null;
    const isAskedElsewhere = stopping !== null && stopping === this.#target?.turnId;
    return {
      running: this.#target !== null,
      stopping: this.#asked !== null || isAskedElsewhere,
    };
  }

  /** Asks once; the second press of a stop is the force of the button. */
  async interrupt() {
    if (!this.#asked) await this.#ask("interrupt");
  }

  async force() {
    await this.#ask("stop");
  }

  /** @param {"interrupt"|"stop"} command */
  async #ask(command) {
    if (!this.#target) return;
    const { actions, changed } = this.#options;
    const { clientMsgId, turnId } = this.#target;
    this.#asked = clientMsgId;
    changed();
    const worked = await actions[command](this.#sessionId, turnId);
    if (!worked && this.#asked === clientMsgId) this.#asked = null;
    changed();
  }
}
