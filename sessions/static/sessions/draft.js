/** A new chat, before its first prompt: which agent, in which mode and folder. */

import { h, setText } from "./dom.js";

const MODES_KEY = "backstay.modes";

export class DraftForm {
  #o;
  #agents = null;
  #remembered;

  /**
   * @param {{root: HTMLElement, agents: HTMLElement, mode: HTMLSelectElement, modeField: HTMLElement, folder: HTMLInputElement,
   *   note: HTMLElement, api: any, storage: Storage|null}} options
   */
  constructor(options) {
    this.#o = options;
    this.#remembered = this.#read();
    options.folder.value = this.#remembered.cwd ?? "";
    options.root.addEventListener("change", () => this.#changed());
  }

  async load() {
    try {
      const answer = await this.#o.api.agents();
      this.#agents = answer.agents;
      setText(this.#o.note, this.#agents.some(canStart) ? "" : "No agent on this server can start. Look at its settings.");
    } catch {
      setText(this.#o.note, "The list of agents could not be loaded. The server’s default agent will answer.");
    }
    this.#draw();
  }

  /** @returns {{agent: string|null, mode: string|null, cwd: string|null}} */
  get choice() {
    const agent = this.#chosen()?.name ?? null;
    return { agent, mode: this.#o.mode.value || null, cwd: this.#o.folder.value.trim() || null };
  }

  #chosen() {
    const checked = this.#o.agents.querySelector("input:checked");
    return this.#agents?.find((agent) => agent.name === checked?.value) ?? null;
  }

  /** An agent tells its modes only once it runs: they are offered from the second chat on. */
  learnModes(agent, modes) {
    if (!agent || !modes?.length) return;
    const known = this.#knownModes();
    if (JSON.stringify(known[agent]) === JSON.stringify(modes)) return;
    try {
      this.#o.storage?.setItem(MODES_KEY, JSON.stringify({ ...known, [agent]: modes }));
    } catch {
      return; // it is only a convenience
    }
    this.#drawModes();
  }

  #knownModes() {
    try {
      return JSON.parse(this.#o.storage?.getItem(MODES_KEY) ?? "{}") ?? {};
    } catch {
      return {};
    }
  }

  #changed() {
    this.#drawModes();
    this.#write();
  }

  #draw() {
    const usable = (this.#agents ?? []).filter(canStart);
    const first = usable.find((agent) => agent.name === this.#remembered.agent) ?? usable[0];
    this.#o.agents.replaceChildren(...(this.#agents ?? []).map((agent) => {
      const id = `agent-${agent.name}`;
      const why = canStart(agent) ? agent.description : agent.whyNot || "It cannot start here.";
      return h("label.agent", { for: id },
        h("input", { type: "radio", name: "agent", id, value: agent.name, checked: agent === first, disabled: !canStart(agent) }),
        h("span.agent-text", {}, h("span.agent-name", { text: agent.label ?? agent.name }), h("span.agent-about", { text: why ?? "" })));
    }));
    this.#drawModes();
  }

  #drawModes() {
    const modes = this.#knownModes()[this.#chosen()?.name ?? ""] ?? [];
    this.#o.modeField.hidden = !modes.length;
    const kept = this.#o.mode.value || this.#remembered.mode;
    this.#o.mode.replaceChildren(...modes.map((mode) => h("option", { value: mode.id, text: mode.label ?? mode.id, selected: mode.id === kept })));
  }

  #read() {
    try {
      return JSON.parse(this.#o.storage?.getItem("backstay.newChat") ?? "{}") ?? {};
    } catch {
      return {};
    }
  }

  #write() {
    this.#remembered = this.choice;
    try {
      this.#o.storage?.setItem("backstay.newChat", JSON.stringify(this.#remembered));
    } catch {
      // It is only a convenience.
    }
  }
}

function canStart(agent) {
  return agent.canStart;
}
