/** The action of a permission request, whole: one part per field of its input. Pure. */

/**
 * @typedef {{label: string, text: string}} Part label: the name of the field, empty for an input without fields
 * @typedef {{parts: Part[], isKnown: boolean, isWhole: boolean}} Action isKnown: the agent says what it will do;
 *   isWhole: the server holds all of it
 */

/** These come first: the command and the places that it touches. */
const FIRST = ["command", "cmd", "script", "code", "path", "file_path", "paths", "url"];

/** The server's own fields: a title in full, and the beginning of an input that is too large. */
const TITLE = "title";
const TRUNCATED = "truncated";

/** @param {any} input of a request @returns {Action} */
export function actionOf(input) {
  const parts = partsOf(input).filter(({ text }) => text.trim() !== "");
  return {
    parts,
    isKnown: parts.some(({ label }) => label !== TITLE),
    isWhole: !isObject(input) || !Object.hasOwn(input, TRUNCATED),
  };
}

/** @param {any} input @returns {Part[]} */
function partsOf(input) {
  if (!isObject(input)) return isEmpty(input) ? [] : [{ label: "", text: textOf(input) }];
  return Object.entries(input)
    .filter(([, value]) => !isEmpty(value))
    .map(([label, value]) => ({ label, text: textOf(value) }))
    .sort((a, b) => rank(a) - rank(b));
}

/** @param {Part} part */
function rank({ label }) {
  const at = FIRST.indexOf(label);
  return at < 0 ? FIRST.length : at;
}

/** Text as it is, arguments as a shell reads them, everything else as JSON. @param {any} value */
function textOf(value) {
  if (typeof value === "string") return value;
  const isArguments = Array.isArray(value) && value.every((one) => typeof one === "string");
  return isArguments ? value.map(quoted).join(" ") : JSON.stringify(value, null, 2);
}

/** @param {string} argument */
function quoted(argument) {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}

/** @param {any} value */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {any} value */
function isEmpty(value) {
  if (value === null || value === undefined || value === "") return true;
  return typeof value === "object" && !Object.keys(value).length;
}

/**
 * The options that may be offered: for an action that is not known in full, none that decides later ones too.
 * @param {any[]} options @param {Action} action
 */
export function offeredOptions(options, { isKnown, isWhole }) {
  return isKnown && isWhole ? options : options.filter(({ kind }) => !isAlways(kind));
}

/** @param {string} [kind] */
function isAlways(kind = "") {
  return kind.endsWith("_always");
}

const SAYS_ALLOW = /allow|approve|accept|yes/i;
const SAYS_REJECT = /reject|deny|refuse|never|\bno\b/i;
const SAYS_ALWAYS = /always|never|again|\ball\b/i;

/**
 * The effect of an option, where its label does not say so: an agent may write "Reject" on a button that allows.
 * @param {{kind?: string, label?: string}} option @returns {string} empty when the label is clear
 */
export function optionNote({ kind = "", label = "" }) {
  const isAllow = kind.startsWith("allow_");
  if (!isAllow && !kind.startsWith("reject_")) return "";
  const [says, contradicts] = isAllow ? [SAYS_ALLOW, SAYS_REJECT] : [SAYS_REJECT, SAYS_ALLOW];
  const isClear = says.test(label) && !contradicts.test(label);
  if (isClear && (!isAlways(kind) || SAYS_ALWAYS.test(label))) return "";
  return `${isAllow ? "allows" : "rejects"} ${isAlways(kind) ? "always" : "once"}`;
}
