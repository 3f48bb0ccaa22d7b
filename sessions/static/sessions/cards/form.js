/** A form from the schema of a question: its fields, the values that they have, and the reasons against them. */

import { h, setText } from "../elements/dom.js";
import { controlOf } from "./form-controls.js";
import { limitsText } from "../words/limits-text.js";
import { visible } from "../words/visible.js";

/**
 * @typedef {{name: string, element: HTMLElement, value: () => any, refuse: (why: string) => void, focus: () => void}} Field
 *   value: undefined for one that is left out; refuse: shows a reason, none for an empty one
 * @typedef {{elements: HTMLElement[], values: () => Record<string, any>, refuse: (reasons: Record<string, string>) => string[]}} Form
 *   refuse: shows reasons by the names of their fields, and returns those that belong to none
 */

/** Names the elements of a form; no two forms of a page share one. */
let last = 0;

/** @param {any} schema @returns {Form} */
export function formOf(schema) {
  const required = new Set(schema?.required ?? []);
  const fields = Object.entries(schema?.properties ?? {}).map(([name, told]) =>
    fieldOf(name, told, required.has(name)),
  );
  return {
    elements: fields.map(({ element }) => element),
    values: () =>
      Object.fromEntries(
        fields.map(({ name, value }) => [name, value()]).filter(([, value]) => value !== undefined),
      ),
    refuse: (reasons) => {
      for (const { name, refuse } of fields) refuse(reasons[name] ?? "");
      fields.find(({ name }) => reasons[name])?.focus();
      const names = new Set(fields.map(({ name }) => name));
      return Object.entries(reasons)
        .filter(([name]) => !names.has(name))
        .map(([, why]) => why);
    },
  };
}

/** @param {string} name @param {any} told @param {boolean} isRequired @returns {Field} */
function fieldOf(name, told, isRequired) {
  const { control, value } = controlOf(told, isRequired);
  const id = `question-${(last += 1)}`;
  const label = visible(told.title || name) + (isRequired ? " *" : "");
  const hint = limitsText(told, Intl.DateTimeFormat().resolvedOptions().timeZone);
  const about = [told.description, hint]
    .filter(Boolean)
    .map((text, at) => h("p.muted", { id: `${id}-about-${at}`, text: visible(text) }));
  const problem = h("p.question-problem", { id: `${id}-problem`, hidden: true });
  const described = [...about, problem].map((each) => each.id).join(" ");
  const focused = [control.querySelector("input"), control].find((each) => each !== null);
  control.setAttribute("aria-describedby", described);
  return {
    name,
    value,
    element: elementOf({ id, name, label, control, about, problem }),
    refuse: (why) => {
      setText(problem, why);
      problem.hidden = !why;
      if (why) focused?.setAttribute("aria-invalid", "true");
      else focused?.removeAttribute("aria-invalid");
    },
    focus: () => focused?.focus(),
  };
}

/** @param {{id: string, name: string, label: string, control: HTMLElement, about: HTMLElement[], problem: HTMLElement}} parts */
function elementOf({ id, name, label, control, about, problem }) {
  if (control.tagName === "FIELDSET") {
    control.prepend(h("legend", { text: label }), ...about);
    return h("div.question-field", { "data-name": name }, control, problem);
  }
  control.id = id;
  if (/** @type {HTMLInputElement} */ (control).type === "checkbox") {
    const words = h("label.question-choice", {}, control, label);
    return h("div.question-field", { "data-name": name }, words, ...about, problem);
  }
  const words = h("label", { for: id, text: label });
  return h("div.question-field", { "data-name": name }, words, ...about, control, problem);
}
