/** The settings of a new chat's agent: its last offer on this server, and the values remembered there. */

import { AgentOptions } from "../composer/agent-options.js";
import { byId, setText } from "../elements/dom.js";

/** @typedef {Record<string, string|boolean>} Values */

export class DraftOptions {
  #details = byId("draft-options");
  #options;
  #view;
  /** @type {Values|null} what a person has chosen here; null: the server's remembered values count */
  #values = null;
  #shownFor = "";

  /**
   * @param {{api: any, wanted: () => {agent: string|null, projectId: string|null},
   *   offered: (agent: string, modes: any[]) => void}} options wanted: of the new chat
   */
  constructor(options) {
    this.#options = options;
    this.#view = new AgentOptions(byId("draft-options-list"), (id, value) => {
      this.#values = { ...this.#values, [id]: value };
    });
    this.#details.addEventListener("toggle", () => this.#load());
  }

  get values() {
    return this.#values;
  }

  /** The agent or the folder may be another one now. */
  changed() {
    const { agent, projectId } = this.#options.wanted();
    this.#details.hidden = !agent;
    if (`${agent} ${projectId}` === this.#shownFor) return;
    this.#values = null;
    this.#load();
  }

  async #load() {
    const { agent, projectId } = this.#options.wanted();
    const name = `${agent} ${projectId}`;
    if (!this.#details.open || !agent || name === this.#shownFor) return;
    this.#shownFor = name;
    this.#say("");
    try {
      const { modes, options, chosen } = await this.#options.api.offer(agent, projectId);
      if (name !== this.#shownFor) return;
      this.#options.offered(agent, modes);
      this.#view.draw(
        options.map((option) => ({ ...option, value: chosen[option.id] ?? option.value })),
      );
      if (!options.length) this.#say("They are known once the agent has run on this server.");
    } catch (failure) {
      this.#shownFor = "";
      this.#say(failure instanceof Error ? failure.message : "The settings could not be loaded.");
    }
  }

  #say(text) {
    if (text) this.#view.draw([]);
    setText(byId("draft-options-note"), text);
  }
}
