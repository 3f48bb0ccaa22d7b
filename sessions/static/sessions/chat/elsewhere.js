/** A chat that a terminal has open: it is read here, and goes on here once it is closed there. */

import { byId, h } from "../elements/dom.js";

const AGAIN_MS = 10_000;

export class Elsewhere {
  #options;
  #bar = h(
    "div.elsewhere",
    { role: "status", hidden: true },
    h("span", {
      text: "This chat is open in a terminal. It can be read here; close it there to continue it here.",
    }),
    h("button", { type: "button", text: "Check again", onclick: () => this.#ask() }),
  );
  #timer = 0;
  #asked = 0;

  /** @param {{api: any, conversation: import("../conversation.js").Conversation}} options */
  constructor(options) {
    this.#options = options;
    byId("composer").before(this.#bar);
  }

  /** Another chat is shown. @param {boolean} isImported */
  show(isImported) {
    this.#set(false);
    if (isImported) this.#ask();
  }

  async #ask() {
    const { api, conversation } = this.#options;
    const { sessionId } = conversation;
    const asked = ++this.#asked;
    const told = await api.inTerminal(sessionId).catch(() => null);
    if (asked !== this.#asked || sessionId !== conversation.sessionId) return;
    if (told) this.#set(told.isOpen);
    if (told?.isOpen ?? !this.#bar.hidden)
      this.#timer = window.setTimeout(() => this.#ask(), AGAIN_MS);
  }

  /** @param {boolean} isOpen */
  #set(isOpen) {
    clearTimeout(this.#timer);
    const { conversation } = this.#options;
    const hasChanged = this.#bar.hidden === isOpen;
    this.#bar.hidden = !isOpen;
    conversation.isElsewhere = isOpen;
    conversation.schedule();
    if (hasChanged && !isOpen) conversation.composer.focus();
  }
}
