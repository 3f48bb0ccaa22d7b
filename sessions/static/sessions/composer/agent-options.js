/** The settings of the agent beside the composer: a list or a switch for each. */

import { h } from "../elements/dom.js";
import { visible } from "../words/visible.js";

export class AgentOptions {
  #root;
  #choose;
  /** @type {import("../log/fold.js").ConfigOption[]|null} */
  #shown = null;

  /**
   * @param {HTMLElement} root
   * @param {(optionId: string, value: string|boolean) => void} choose
   */
  constructor(root, choose) {
    this.#root = root;
    this.#choose = choose;
  }

  /** @param {import("../log/fold.js").ConfigOption[]} options */
  draw(options) {
    if (options === this.#shown) return;
    this.#shown = options;
    const shown = options.filter(({ category }) => category !== "mode"); // the mode has a place of its own
    this.#root.hidden = shown.length === 0;
    this.#root.replaceChildren(...shown.map((option) => this.#control(option)));
  }

  /** @param {import("../log/fold.js").ConfigOption} option */
  #control({ id, label, kind, value, choices }) {
    const change = (event) =>
      this.#choose(id, kind === "boolean" ? event.target.checked : event.target.value);
    const control =
      kind === "boolean"
        ? h("input", { type: "checkbox", checked: value === true, onchange: change })
        : h("select", { onchange: change }, ...optionElements(choices, value));
    return h(
      "label.agent-option",
      { "data-option": id },
      h("span", { text: visible(label) }),
      control,
    );
  }
}

function optionElements(choices, value) {
  const groups = new Map();
  for (const choice of choices) {
    const group = choice.group ?? "";
    const one = h("option", {
      value: choice.id,
      text: visible(choice.label),
      selected: choice.id === value,
    });
    groups.set(group, [...(groups.get(group) ?? []), one]);
  }
  return [...groups].flatMap(([name, elements]) =>
    name ? [h("optgroup", { label: visible(name) }, ...elements)] : elements,
  );
}
