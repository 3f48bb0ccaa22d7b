/** A chat whose agent wants a log-in says so above its prompt, until the agent has answered. */

import { byId, h } from "../elements/dom.js";
import { logInNote } from "./log-in-note.js";

export class LogInBar {
  #bar = h("p.log-in-note.log-in-bar", { role: "status" });
  /** @type {import("../log/fold.js").Snapshot["logIn"]} */
  #shown = null;

  constructor() {
    byId("composer").before(this.#bar);
  }

  /** @param {import("../log/fold.js").Snapshot["logIn"]} logIn @param {string} agent its name */
  draw(logIn, agent) {
    if (logIn === this.#shown) return;
    this.#shown = logIn;
    const told = logIn ? logInNote({ name: agent, label: "The agent" }, logIn.ways) : [];
    this.#bar.replaceChildren(...told);
  }
}
