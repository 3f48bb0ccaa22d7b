/**
 * The action of a permission request, whole: one part per field of its input. Pure.
 *
 * The twin of sessions/text/asking.py; both are held to one golden file (tests/golden/requests.json).
 */

/**
 * @typedef {{label: string, text: string}} Part label: the name of the field, empty for an input without fields
 * @typedef {{parts: Part[], isKnown: boolean, isWhole: boolean}} Action isKnown: the agent says what it will do;
 *   isWhole: the server holds all of it
 */

/** These come first: the command and the places that it touches. */
const FIRST = ["command", "cmd", "script", "code", "path", "file_path", "paths", "url"];

/**
 * The server's own fields. The first two are the agent's words about the action: its title and the text beside its
 * input. The last is the beginning of an input that is too large.
 */
const WORDS = ["title", "content"];
const TRUNCATED = "truncated";

const EFFECTS = {
  allow_once: "allows once",
  allow_always: "allows always",
  reject_once: "rejects once",
  reject_always: "rejects always",
};
const DEEDS = {
  delete: "deletes files",
  edit: "changes files",
  execute: "runs a command",
  fetch: "fetches from the network",
  move: "moves files",
  read: "reads files",
  search: "searches files",
  switch_mode: "changes the mode",
  think: "thinks",
};
export const UNKNOWN = "The agent did not say what it will do.";
export const CUT = "The action is too large to be shown whole: this is its beginning.";
export const BEGINNING =
  "This is the beginning of the action: show all of it, then you can allow it.";

/** @param {any} input of a request @returns {Action} */
export function actionOf(input) {
  const parts = partsOf(input).filter(({ text }) => text.trim() !== "");
  return {
    parts,
    isKnown: parts.some(({ label }) => !WORDS.includes(label)),
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
 * The effect of an option in words of ours: an agent may write "Reject" on a button that allows.
 * @param {{kind?: string, label?: string}} option @returns {string} empty when the label is that and nothing else
 */
export function effectOf({ kind = "", label = "" }) {
  if (!Object.hasOwn(EFFECTS, kind)) return "effect unknown";
  const isSaid = label.trim().toLowerCase().split(/\s+/).join("_") === kind;
  return isSaid ? "" : EFFECTS[kind];
}

/** The kind of a tool in words of ours. @param {string|null|undefined} kind @returns {string} empty for an unknown one */
export function deedOf(kind) {
  return kind && Object.hasOwn(DEEDS, kind) ? DEEDS[kind] : "";
}

/** The action of a request on one line, for a notification. @param {any} request */
export function actionLine({ toolKind, input }) {
  const { parts, isKnown } = actionOf(input);
  if (!isKnown) return UNKNOWN;
  const [first] = parts.filter(({ label }) => !WORDS.includes(label));
  const deed = deedOf(toolKind);
  return (deed ? `${deed}: ` : "") + first.text;
}
