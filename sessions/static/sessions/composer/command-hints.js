/** The commands of the agent, offered while a prompt begins with a slash. */

import { h } from "../elements/dom.js";
import { Hints } from "../elements/hints.js";
import { visible } from "../words/visible.js";

const MOST = 8;

export class CommandHints {
  #text;
  #hints;
  /** @type {import("../log/fold.js").AgentCommand[]} */
  #commands = [];

  /** @param {HTMLTextAreaElement} text @param {HTMLElement} list */
  constructor(text, list) {
    this.#text = text;
    this.#hints = new Hints(text, list);
    text.addEventListener("input", () => this.#look());
  }

  /** @param {import("../log/fold.js").AgentCommand[]} commands */
  draw(commands) {
    this.#commands = commands;
  }

  #look() {
    const typed = /^\/([^\n]*)$/.exec(this.#text.value)?.[1].toLowerCase();
    const fits = ({ name }) => name.toLowerCase().startsWith(typed) && name.toLowerCase() !== typed;
    const found = typed === undefined ? [] : this.#commands.filter(fits).slice(0, MOST);
    this.#hints.show(found.map((command) => this.#hint(command)));
  }

  /** @returns {import("../elements/hints.js").Hint} */
  #hint({ name, hint, description }) {
    return {
      take: () => {
        this.#text.value = `/${name} `;
        this.#text.dispatchEvent(new Event("input", { bubbles: true }));
      },
      parts: [
        h("strong", { text: `/${visible(name)}`, translate: "no" }),
        h("span.muted", { text: visible([hint, description].filter(Boolean).join(" · ")) }),
      ],
    };
  }
}
