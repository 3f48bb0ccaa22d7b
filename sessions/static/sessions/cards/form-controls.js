/** The controls of a form: one for each type of a value. */

import { h } from "../elements/dom.js";
import { LATEST, localOf, momentOf } from "../words/moments.js";
import { visible } from "../words/visible.js";

/** Texts that may be longer get a field of several lines. */
const LINE_CHARS = 300;

/** @typedef {{control: HTMLElement, value: () => any}} Control value: undefined for one that is left out */

/** @param {any} told the schema of a field @param {boolean} isRequired @returns {Control} */
export function controlOf(told, isRequired) {
  if (told.type === "boolean") return switchOf(told);
  const choices = choicesOf((told.type === "array" ? told.items : told) ?? {});
  if (told.type === "array")
    return choices ? manyOf(told, choices, isRequired) : listOf(told, isRequired);
  if (choices) return oneOf(told, choices, isRequired);
  if (told.type === "integer" || told.type === "number") return numberOf(told, isRequired);
  return told.format ? formattedOf(told, isRequired) : textOf(told, isRequired);
}

/** @typedef {{id: string, label: string, about: string}} Choice */

/** @returns {Choice[]|null} null where any value may be given */
function choicesOf({ oneOf, anyOf, enum: plain }) {
  const titled = oneOf ?? anyOf ?? plain?.map((id) => ({ const: id }));
  if (!titled) return null;
  return titled.map((one) => ({
    id: one.const,
    label: one.title || one.const,
    about: one.description ?? "",
  }));
}

/** @param {any} told @param {Choice[]} choices @param {boolean} isRequired @returns {Control} */
function oneOf(told, choices, isRequired) {
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
  // By its place: the empty text is a choice, too.
  return { control: select, value: () => choices[select.selectedIndex - 1]?.id };
}

/** @param {any} told @param {Choice[]} choices @param {boolean} isRequired @returns {Control} */
function manyOf(told, choices, isRequired) {
  const boxes = choices.map(({ id, label, about }) => {
    const box = /** @type {HTMLInputElement} */ (
      h("input", { type: "checkbox", value: id, checked: (told.default ?? []).includes(id) })
    );
    const words = about ? `${label}: ${about}` : label;
    return { id, box, element: h("label.question-choice", {}, box, visible(words)) };
  });
  const control = h("fieldset", {}, ...boxes.map(({ element }) => element));
  const chosen = () => boxes.filter(({ box }) => box.checked).map(({ id }) => id);
  return { control, value: () => listed(chosen(), told, isRequired) };
}

/** Several texts without choices, one a line. @param {any} told @param {boolean} isRequired @returns {Control} */
function listOf(told, isRequired) {
  const area = /** @type {HTMLTextAreaElement} */ (
    h("textarea", { rows: 3, text: (told.default ?? []).join("\n"), placeholder: "One per line" })
  );
  const lines = () => area.value.split("\n").filter((line) => line.trim() !== "");
  return { control: area, value: () => listed(lines(), told, isRequired) };
}

/** A list without an entry is left out where it would not fit. */
function listed(list, told, isRequired) {
  return list.length || isRequired || !told.minItems ? list : undefined;
}

/** @param {any} told @returns {Control} */
function switchOf(told) {
  const box = input({ type: "checkbox", checked: told.default === true });
  return { control: box, value: () => box.checked };
}

/** @param {any} told @param {boolean} isRequired @returns {Control} */
function numberOf(told, isRequired) {
  const isWhole = told.type === "integer";
  const rounded = (limit, round) => (isWhole && limit !== undefined ? round(limit) : limit);
  const field = input({
    type: "number",
    inputmode: isWhole ? "numeric" : "decimal",
    step: isWhole ? "1" : "any",
    min: rounded(told.minimum, Math.ceil),
    max: rounded(told.maximum, Math.floor),
    required: isRequired,
    value: told.default,
  });
  return { control: field, value: () => (field.value === "" ? undefined : Number(field.value)) };
}

/** A text of any length: the server counts characters, a browser would count their halves. */
function textOf(told, isRequired) {
  const text = told.default ?? "";
  const isLong = told.maxLength > LINE_CHARS || told.minLength > LINE_CHARS || text.includes("\n");
  const shown = { required: isRequired, autocomplete: "off" };
  const field = isLong
    ? /** @type {HTMLTextAreaElement} */ (h("textarea", { rows: 4, text, ...shown }))
    : input({ type: "text", value: text || null, ...shown });
  return { control: field, value: () => field.value || undefined };
}

/** @type {Record<string, {attributes: object, shown?: (value: any) => string, given?: (value: string) => string}>} */
const FORMATS = {
  email: { attributes: { type: "email" } },
  uri: { attributes: { type: "url" }, given: uriOf },
  date: { attributes: { type: "date", max: LATEST.slice(0, 10) } },
  "date-time": {
    attributes: { type: "datetime-local", step: 1, max: LATEST },
    shown: localOf,
    given: momentOf,
  },
};

/** @param {any} told @param {boolean} isRequired @returns {Control} */
function formattedOf(told, isRequired) {
  const { attributes, shown = (value) => value, given = (value) => value } = FORMATS[told.format];
  const value = told.default === undefined ? null : shown(told.default);
  const field = input({ ...attributes, value, required: isRequired, autocomplete: "off" });
  const begun = field.value;
  return {
    control: field,
    value: () => {
      if (field.value === "") return undefined;
      // A default that is left alone is given back as it came, in its own zone.
      return field.value === begun ? told.default : given(field.value);
    },
  };
}

/** Characters that a URI does not have are encoded. @param {string} text */
function uriOf(text) {
  if (/^[\w.~:/?#[\]@!$&'()*+,;=%-]+$/.test(text)) return text;
  try {
    return new URL(text).href;
  } catch {
    return text; // the server says what is wrong
  }
}

/** @param {object} attributes */
function input(attributes) {
  return /** @type {HTMLInputElement} */ (h("input", attributes));
}
