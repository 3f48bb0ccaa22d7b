/** A form from the schema of a question: a field for each type, and the values that it has. */

import { h } from "./dom.js";
import { visible } from "./visible.js";

/** @typedef {{element: HTMLElement, value: () => any}} Field value: undefined for an empty one */

/** @param {any} schema @returns {{elements: HTMLElement[], values: () => Record<string, any>}} */
export function formOf(schema) {
  const required = new Set(schema?.required ?? []);
  const fields = Object.entries(schema?.properties ?? {}).map(([name, told]) => ({
    name,
    ...fieldOf(name, told, required.has(name)),
  }));
  return {
    elements: fields.map(({ element }) => element),
    values: () =>
      Object.fromEntries(
        fields.map(({ name, value }) => [name, value()]).filter(([, value]) => value !== undefined),
      ),
  };
}

/** @param {string} name @param {any} told @param {boolean} isRequired @returns {Field} */
function fieldOf(name, told, isRequired) {
  const make = told.type === "array" ? manyOf : told.type === "boolean" ? switchOf : oneOf;
  const { control, value } = make(told, isRequired);
  const label = visible(told.title || name) + (isRequired ? " *" : "");
  const about = told.description && h("p.muted", { text: visible(told.description) });
  const isGroup = control.tagName === "FIELDSET";
  if (isGroup) control.prepend(h("legend", { text: label }), about || "");
  const element = isGroup
    ? h("div.question-field", { "data-name": name }, control)
    : h("label.question-field", { "data-name": name }, h("span", { text: label }), about, control);
  return { element, value };
}

/** The choices of a field. @returns {{id: string, label: string, about: string}[]|null} */
function choicesOf(told) {
  const titled = told.oneOf ?? told.anyOf;
  if (titled)
    return titled.map((one) => ({
      id: one.const,
      label: one.title ?? one.const,
      about: one.description ?? "",
    }));
  return told.enum ? told.enum.map((id) => ({ id, label: id, about: "" })) : null;
}

function oneOf(told, isRequired) {
  const choices = choicesOf(told);
  if (!choices) return inputOf(told, isRequired);
  const select = /** @type {HTMLSelectElement} */ (
    h(
      "select",
      { required: isRequired },
      h("option", { value: "", text: "Choose" }),
      ...choices.map(({ id, label, about }) =>
        h("option", {
          value: id,
          text: visible(about ? `${label}: ${about}` : label),
          selected: told.default === id,
        }),
      ),
    )
  );
  return { control: select, value: () => select.value || undefined };
}

function manyOf(told) {
  const boxes = (choicesOf(told.items ?? {}) ?? []).map(({ id, label }) => {
    const box = /** @type {HTMLInputElement} */ (
      h("input", { type: "checkbox", value: id, checked: (told.default ?? []).includes(id) })
    );
    return { box, element: h("label.question-choice", {}, box, visible(label)) };
  });
  const control = h("fieldset", {}, ...boxes.map(({ element }) => element));
  const value = () => boxes.filter(({ box }) => box.checked).map(({ box }) => box.value);
  return { control, value };
}

function switchOf(told) {
  const box = /** @type {HTMLInputElement} */ (
    h("input", { type: "checkbox", checked: told.default === true })
  );
  return { control: box, value: () => box.checked };
}

const INPUTS = { email: "email", uri: "url", date: "date", "date-time": "datetime-local" };

function inputOf(told, isRequired) {
  const isNumber = told.type === "integer" || told.type === "number";
  const input = /** @type {HTMLInputElement} */ (
    h("input", {
      type: isNumber ? "number" : (INPUTS[told.format] ?? "text"),
      step: isNumber ? (told.type === "integer" ? "1" : "any") : null,
      min: told.minimum,
      max: told.maximum,
      minlength: told.minLength,
      maxlength: told.maxLength,
      required: isRequired,
      value: told.default,
      autocomplete: "off",
    })
  );
  return {
    control: input,
    value: () => (input.value === "" ? undefined : isNumber ? Number(input.value) : input.value),
  };
}
