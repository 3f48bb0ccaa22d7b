/** The words of a permission card, ours and never the agent’s: its question, its place, its warning. Pure. */

import { visible } from "./visible.js";

/** The fields of an input that tell a command, an address, the paths of files; "" is an input without fields. */
const COMMANDS = ["", "command", "cmd", "script", "code", "args", "argv"];
const ADDRESSES = ["url", "urls", "uri", "address"];
const PATHS = [
  ...["path", "paths", "file_path", "filePath", "filepath", "file", "abs_path"],
  ...["notebook_path", "target_file", "changes"],
];

const OF_FILES = { delete: "Delete", edit: "Edit", read: "Read" };
const OF_OTHERS = {
  move: "Move files?",
  search: "Search files?",
  switch_mode: "Change the mode?",
  think: "Let the agent think?",
};
export const MARKED =
  "Marks such as ⟨U+202E⟩ stand for characters that cannot be seen: look at each before you allow it.";

/**
 * The question of a card, by the kind of its tool. It says no more than the card shows: "this command" only where
 * there is one, a number of files only where all their paths are told.
 * @param {{toolKind?: string|null, input?: any, diffs?: {path: string}[]}} request
 * @param {import("./action.js").Action} action of its input
 * @returns {string}
 */
export function questionOf(request, action) {
  const kind = request.toolKind ?? "";
  const tells = (names) =>
    action.isKnown && action.parts.some(({ label }) => names.includes(label));
  if (kind === "execute") return tells(COMMANDS) ? "Run this command?" : "Run a command?";
  if (kind === "fetch") return tells(ADDRESSES) ? "Open this address?" : "Fetch from the network?";
  if (Object.hasOwn(OF_FILES, kind)) return `${OF_FILES[kind]} ${filesText(request, action)}?`;
  return Object.hasOwn(OF_OTHERS, kind) ? OF_OTHERS[kind] : "Allow this action?";
}

/** The place of the live card. @param {number} count of open requests @returns {string} empty for the only one */
export function placeText(count) {
  return count > 1 ? `1 of ${count}` : "";
}

/** Whether the page draws marks in the place of characters of these texts. @param {(string|null|undefined)[]} texts */
export function hasMarks(texts) {
  return texts.some((text) => text && visible(text) !== text);
}

/** @param {{input?: any, diffs?: {path: string}[]}} request @param {import("./action.js").Action} action */
function filesText({ input, diffs = [] }, { isKnown, isWhole }) {
  if (!isKnown || !isWhole) return "files";
  const paths = [...new Set([...diffs.map(({ path }) => path), ...pathsIn(input)].map(plain))];
  // A folder and a pattern stand for any number of files.
  if (!paths.length || paths.some((path) => /[*?[\]{}]|(^|\/)\.{0,2}$/.test(path))) return "files";
  const count = paths.filter((path) => !isToldWhole(path, paths)).length;
  return count === 1 ? "1 file" : `${count} files`;
}

/** @param {any} input @returns {string[]} */
function pathsIn(input) {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return [];
  return PATHS.filter((name) => Object.hasOwn(input, name)).flatMap((name) => namesIn(input[name]));
}

/** A path, a list of them, changes under or with their path. @param {any} value @returns {string[]} */
function namesIn(value) {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return value.flatMap(namesIn);
  if (typeof value !== "object" || value === null) return [];
  return typeof value.path === "string" ? [value.path] : Object.keys(value);
}

/** Without the place in the file. @param {string} path */
function plain(path) {
  return path.replace(/^(\.\/)+(?=.)/, "").replace(/:\d+$/, "");
}

/** Whether another path is this one with its folder. @param {string} path @param {string[]} paths */
function isToldWhole(path, paths) {
  return !path.startsWith("/") && paths.some((other) => other.endsWith(`/${path}`));
}
