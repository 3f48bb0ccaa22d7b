/** The files of the chat's folder, offered behind an `@`; those that were taken are named in the prompt. */

import { h } from "../elements/dom.js";
import { Hints } from "../elements/hints.js";
import { visible } from "../words/visible.js";

const MOST = 8;
const PAUSE_MS = 80;
/** An `@` at the begin of a word, with the letters up to the cursor. */
const MENTION = /(?:^|\s)@([^\s@]{0,100})$/;

export class PathHints {
  #text;
  #hints;
  #find;
  #timer = 0;
  #asked = 0;
  /** @type {Set<string>} */
  #taken = new Set();

  /**
   * @param {HTMLTextAreaElement} text @param {HTMLElement} list
   * @param {(letters: string, limit: number) => Promise<string[]>} find
   */
  constructor(text, list, find) {
    this.#text = text;
    this.#hints = new Hints(text, list);
    this.#find = find;
    text.addEventListener("input", () => this.#look());
    if (document.activeElement === text) this.#look(); // this part may come behind the first letter
  }

  /** The files that a text names, of those that were taken here. @param {string} text @returns {string[]} */
  namedIn(text) {
    return mentionsIn(text, this.#taken);
  }

  #look() {
    clearTimeout(this.#timer);
    const asked = ++this.#asked;
    const letters = this.#letters;
    if (letters === null) return this.#hints.show([]);
    this.#timer = window.setTimeout(() => this.#ask(letters, asked), PAUSE_MS);
    return undefined;
  }

  /** @returns {string|null} behind the `@` that the cursor stands at */
  get #letters() {
    const { value, selectionStart, selectionEnd } = this.#text;
    if (selectionStart !== selectionEnd) return null;
    return MENTION.exec(value.slice(0, selectionStart))?.[1] ?? null;
  }

  async #ask(letters, asked) {
    const paths = await this.#find(letters, MOST).catch(() => []);
    if (asked !== this.#asked || document.activeElement !== this.#text) return;
    this.#hints.show(paths.map((path) => this.#hint(path, letters)));
  }

  /** @returns {import("../elements/hints.js").Hint} */
  #hint(path, letters) {
    const at = path.lastIndexOf("/") + 1;
    return {
      take: () => {
        this.#taken.add(path);
        const end = this.#text.selectionStart;
        const written = `@${path} `;
        this.#text.setRangeText(written, end - letters.length - 1, end, "end");
        this.#text.dispatchEvent(new Event("input", { bubbles: true }));
      },
      parts: [
        h("strong", { text: visible(path.slice(at)), translate: "no" }),
        h("span.muted", { text: visible(path.slice(0, at)), translate: "no" }),
      ],
    };
  }
}

/** The paths that stand in a text behind an `@`. @param {string} text @param {Iterable<string>} paths @returns {string[]} */
export function mentionsIn(text, paths) {
  return [...paths].filter((path) => {
    const at = text.indexOf(`@${path}`);
    return at >= 0 && (at === 0 || /\s/.test(text[at - 1]));
  });
}

/**
 * Finds paths in the folder of the chat that is shown, or of a new one.
 * @param {any} api @param {() => string|null} sessionId
 * @param {() => {cwd: string|null, projectId: string|null}} choice of a new chat
 * @returns {(letters: string, limit: number) => Promise<string[]>}
 */
export function findPathsBy(api, sessionId, choice) {
  return async (letters, limit) => {
    const id = sessionId();
    if (id) return (await api.paths(id, letters, limit)).paths;
    const { cwd, projectId } = choice();
    if (!cwd && !projectId) return [];
    return (await api.folderPaths(cwd, projectId, letters, limit)).paths;
  };
}
