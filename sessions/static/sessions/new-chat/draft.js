/** A new chat, before its first prompt: which agent, in which mode and folder. */

import { keep, keptJson } from "../../transport/browser/storage.js";
import { loadChatParts } from "../chat/chat-parts.js";
import { byId, h, setText } from "../elements/dom.js";
import { DraftOptions } from "./draft-options.js";
import { FolderField } from "./folders.js";
import { setUpText } from "../words/text.js";

const MODES_KEY = "backstay.modes";
const CHOICE_KEY = "backstay.newChat";

export class DraftForm {
  #options;
  /** @type {any[]|null} null until the list is here */
  #agents = null;
  /** @type {Record<string, string>} */
  #labels = {};
  #remembered;
  #folder;
  #settings;

  /**
   * @param {{api: any, projects: import("./projects.js").Projects, storage: Storage|null}} options
   */
  constructor(options) {
    this.#options = { ...options, ...elements() };
    this.#remembered = keptJson(options.storage, CHOICE_KEY) ?? {};
    this.#folder = new FolderField({
      api: options.api,
      projects: options.projects,
      chosen: (project) => this.#choose(project.defaults.agent),
    });
    this.#folder.restore(this.#remembered.cwd ?? "");
    this.#settings = new DraftOptions({
      api: options.api,
      wanted: () => ({ agent: this.#chosen()?.name ?? null, ...this.#folder.choice }),
      offered: (agent, modes) => this.learnModes(agent, modes),
    });
    options.projects.onChange(() => this.#folder.draw());
    this.#options.root.addEventListener("change", () => this.#changed());
  }

  async load() {
    const folder = this.#folder.load();
    try {
      const answer = await this.#options.api.agents();
      const agents = answer.agents;
      this.#agents = agents;
      this.#labels = Object.fromEntries(agents.map(({ name, label }) => [name, label]));
      setText(this.#options.note, noteOn(answer));
    } catch {
      setText(
        this.#options.note,
        "The list of agents could not be loaded. The server’s default agent will answer.",
      );
    }
    this.#draw();
    await folder;
  }

  /** The name of an agent, which for some says what it is not. @param {string} name */
  label(name) {
    return this.#labels[name] || name;
  }

  /** @returns {{agent: string|null, mode: string|null, cwd: string|null, projectId: string|null, worktree: object|null, options: object|null}} */
  get choice() {
    const agent = this.#chosen()?.name ?? null;
    const mode = this.#options.mode.value || null;
    return { agent, mode, ...this.#folder.choice, options: this.#settings.values };
  }

  /** Checks the default agent of a project, where it can start. @param {string|null} name */
  #choose(name) {
    const inputs = /** @type {HTMLInputElement[]} */ ([
      ...this.#options.agents.querySelectorAll("input"),
    ]);
    const input = inputs.find(({ value }) => value === name);
    if (!input) return;
    input.checked = true;
    this.#changed();
  }

  #chosen() {
    const checked = this.#options.agents.querySelector("input:checked");
    return this.#agents?.find((agent) => agent.name === checked?.value) ?? null;
  }

  /** An agent tells its modes only once it runs: they are offered from the second chat on. */
  learnModes(agent, modes) {
    if (!agent || !modes?.length) return;
    const known = this.#knownModes();
    if (JSON.stringify(known[agent]) === JSON.stringify(modes)) return;
    keep(this.#options.storage, MODES_KEY, JSON.stringify({ ...known, [agent]: modes }));
    this.#drawModes();
  }

  #knownModes() {
    return keptJson(this.#options.storage, MODES_KEY) ?? {};
  }

  /** The log-in that the chosen agent wants. */
  #drawLogIn() {
    if (this.#agents?.some((agent) => agent.logIn))
      loadChatParts().then(({ showLogIn }) => showLogIn(this.#chosen()));
  }

  #changed() {
    this.#drawLogIn();
    this.#drawModes();
    this.#settings.changed();
    this.#write();
  }

  #draw() {
    const usable = (this.#agents ?? []).filter(canStart);
    const first = usable.find((agent) => agent.name === this.#remembered.agent) ?? usable[0];
    const others = (this.#agents ?? []).filter((agent) => !canStart(agent));
    this.#options.agents.replaceChildren(
      ...usable.map((agent) => agentCard(agent, agent === first)),
    );
    this.#options.others.hidden = !others.length;
    setText(this.#options.othersLabel, setUpText(others.map(({ label }) => label)));
    this.#options.othersList.replaceChildren(...others.map(otherAgent));
    this.#drawLogIn();
    this.#drawModes();
    this.#settings.changed();
  }

  #drawModes() {
    const modes = this.#knownModes()[this.#chosen()?.name ?? ""] ?? [];
    this.#options.modeField.hidden = !modes.length;
    const kept = this.#options.mode.value;
    this.#options.mode.replaceChildren(
      h("option", { value: "", text: "Default" }), // the project's, or the agent's mode that asks
      ...modes.map((mode) =>
        h("option", { value: mode.id, text: mode.label ?? mode.id, selected: mode.id === kept }),
      ),
    );
  }

  #write() {
    // The server remembers the settings; a mode is for one chat.
    this.#remembered = { agent: this.choice.agent, cwd: this.#folder.value || null };
    keep(this.#options.storage, CHOICE_KEY, JSON.stringify(this.#remembered));
  }
}

/** The parts of the form; others: the agents that cannot start here, and why. */
function elements() {
  return {
    root: byId("draft-form"),
    agents: byId("agents"),
    mode: byId("draft-mode"),
    modeField: byId("draft-mode-field"),
    note: byId("agents-note"),
    others: byId("other-agents"),
    othersLabel: byId("other-agents-label"),
    othersList: byId("other-agents-list"),
  };
}

function agentCard(agent, isChosen) {
  const id = `agent-${agent.name}`;
  return h(
    "label.agent",
    { for: id },
    h("input", { type: "radio", name: "agent", id, value: agent.name, checked: isChosen }),
    h(
      "span.agent-text",
      {},
      h("span.agent-name", { text: agent.label }),
      h("span.agent-about", {
        text: `${agent.description} Credential: ${agent.credential}.`,
      }),
      ...(agent.logIn ? [h("span.agent-wants", { text: "Log-in needed" })] : []),
    ),
  );
}

function otherAgent(agent) {
  return h("div", {}, h("dt", { text: agent.label }), h("dd", { text: agent.whyNot }));
}

/** The line under the agents: why none can start, or that nothing, or not everything, holds them. */
function noteOn({ agents, confinement }) {
  if (!agents.some(canStart)) return "No agent on this server can start. Look at its settings.";
  const open = agents.filter((agent) => canStart(agent) && !agent.isConfined);
  if (!confinement) return "";
  if (open.length ? confinement.kind === "off" : !confinement.isWhole) return confinement.sentence;
  const names = open.map(({ label }) => label).join(", ");
  return names && `Not confined on this server: ${names}.`;
}

function canStart(agent) {
  return agent.canStart;
}
