/** A path of the chat's folder as a button that opens the file. */

import { h } from "./dom.js";
import { openPath } from "./open-path.js";
import { visible } from "../words/visible.js";

/** A file by its path, perhaps with a line and a column behind it. */
const PATH =
  /^((?:\.\/|\/)?(?:[\w@+.~-]+\/)*[\w@+~-][\w@+.~-]*\.[A-Za-z]\w{0,9})(?::(\d{1,7})(?::\d{1,7})?)?$/;
/** Without a folder and a line a word with a dot is a file by one of these endings alone. */
const ENDINGS = new Set(
  "c cc cpp css csv go h hpp html ini java js json jsx kt lua md mjs php py rb rs scss sh sql swift toml ts tsx txt vue xml yaml yml".split(
    " ",
  ),
);
const MAX_CHARS = 300;

/** The file that a piece of code names, null where it names none. @param {string} text */
export function pathIn(text) {
  const found = text.length <= MAX_CHARS && PATH.exec(text);
  if (!found) return null;
  const [, path, line] = found;
  const ending = path.slice(path.lastIndexOf(".") + 1).toLowerCase();
  if (!path.includes("/") && !line && !ENDINGS.has(ending)) return null;
  return { path, line: line ? Number(line) : null };
}

/** Lets the paths in an answer open their files. @param {Element} prose */
export function linkPaths(prose) {
  for (const code of prose.querySelectorAll(":not(pre) > code")) {
    if (code.closest("a")) continue;
    const found = pathIn(code.textContent ?? "");
    if (found) code.replaceChildren(pathButton(found.path, found.line));
  }
}

/** @param {string} path @param {number|null} [line] */
export function pathButton(path, line = null) {
  return h("button.link.path-button", {
    type: "button",
    translate: "no",
    text: visible(path) + (line === null ? "" : `:${line}`),
    onclick: () => openPath(path, line),
  });
}

/** The places that a call names, each once. @param {any} block @returns {HTMLElement[]} */
export function placesOf({ locations = [], diffs = [] }) {
  const drawn = new Set(diffs.map((/** @type {any} */ { path }) => path));
  const places = locations.filter((/** @type {any} */ { path }) => !drawn.has(path)).slice(0, 20);
  if (!places.length) return [];
  const buttons = places.map((/** @type {any} */ { path, line }) => pathButton(path, line ?? null));
  return [h("p.tool-places", {}, ...buttons)];
}
