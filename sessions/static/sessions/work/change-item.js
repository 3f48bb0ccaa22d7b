/** One file that differs: a line with its state and its counts; its diff when it is opened. */

import { askDiscard } from "../dialogs/asking.js";
import { partnersOf, rowElements } from "../diff/diff-rows.js";
import { h, setText } from "../elements/dom.js";
import { toast } from "../dialogs/toasts.js";
import { visible } from "../words/visible.js";
import { linesOf } from "../diff/code-lines.js";
import { contextButton } from "./context.js";
import { fill } from "./fill.js";

const STATES = {
  new: "New",
  modified: "Changed",
  deleted: "Deleted",
  renamed: "Renamed",
  binary: "Binary",
  tooLarge: "Too large",
};

export class ChangeItem {
  #on;
  #path;
  #state = h("span.change-state");
  #name = h("span.change-path", { translate: "no" });
  #count = h("span.diff-count");
  #body = h("div.change-body");
  #details;
  #drawn = "";
  #isStaged = false;
  #stage = h("button.link.change-stage", { type: "button", onclick: () => this.#press() });

  /**
   * @param {string} path
   * @param {{load: () => Promise<any>, file: () => Promise<any>, discard: (hunk: string) => Promise<void>,
   *   stage: (isWanted: boolean) => Promise<void>, comments: import("./comments.js").Comments}} on
   */
  constructor(path, on) {
    this.#path = path;
    this.#on = on;
    const summary = h("summary", {}, this.#state, this.#name, this.#count);
    const ask = () => askDiscard(visible(path), () => on.discard(""));
    const discard = h("button.link.change-discard", { type: "button", onclick: ask });
    discard.textContent = "Discard the changes of this file";
    this.#details = /** @type {HTMLDetailsElement} */ (
      h("details", {}, summary, this.#body, this.#stage, discard)
    );
    this.#details.addEventListener("toggle", () => this.isOpen && this.load());
    this.element = h("li.change", {}, this.#details);
  }

  get isOpen() {
    return this.#details.open;
  }

  /** @param {any} row @param {boolean|null} isStaged null where nothing can be staged */
  draw({ path, oldPath, status, added, removed }, isStaged) {
    this.#isStaged = isStaged === true;
    this.#stage.hidden = isStaged === null;
    setText(this.#stage, isStaged ? "Unstage" : "Stage");
    this.element.dataset.staged = String(this.#isStaged);
    this.#state.dataset.status = status;
    setText(this.#state, STATES[/** @type {keyof typeof STATES} */ (status)] ?? status);
    setText(this.#name, visible(oldPath ? `${oldPath} → ${path}` : path));
    setText(this.#count, added === null ? "" : `+${added} −${removed}`);
  }

  /** Draw the diff as it is now. Never rejects. */
  async load() {
    try {
      const { diff } = await this.#on.load();
      const wanted = JSON.stringify(diff);
      if (wanted === this.#drawn || this.#isWritten()) return;
      const colours = diff?.hunks.length ? await this.#colours() : null;
      if (this.#isWritten()) return;
      this.#drawn = wanted;
      this.#draw(diff, colours);
    } catch (failure) {
      this.#drawn = "";
      this.#say(failure instanceof Error ? failure.message : "The diff could not be loaded.");
    }
  }

  async #press() {
    try {
      await this.#on.stage(!this.#isStaged);
    } catch (failure) {
      toast(failure instanceof Error ? failure.message : "The file could not be staged.");
    }
  }

  /** The button of one place that differs. @param {string} hunk */
  #discardButton(hunk, line) {
    const name = `${visible(this.#path)}, line ${line}`;
    return h("button.link.hunk-discard", {
      type: "button",
      text: "Discard this change",
      "aria-label": `Discard the change at line ${line}`,
      onclick: () => askDiscard(name, () => this.#on.discard(hunk)),
    });
  }

  /** Whether a comment is being written here: nothing moves meanwhile. */
  #isWritten() {
    return this.#body.querySelector("form") !== null;
  }

  /** The lines of the file as it is now, coloured where they can be; null for none. Never rejects. */
  async #colours() {
    try {
      const { kind, text, html } = await this.#on.file();
      return kind === "text" ? linesOf(text, html) : null;
    } catch {
      return null; // deleted, or closed
    }
  }

  /** @param {any} diff @param {import("../diff/pieces.js").Coloured[][]|null} colours */
  #draw(diff, colours) {
    if (!diff) return this.#say("This file does not differ any more.");
    if (diff.why) return this.#say(diff.why);
    const rows = rowsOf(diff.hunks, colours);
    if (!rows.length) return this.#say("The content is the same.");
    const box = h("pre.diff-rows.code-rows", {
      tabindex: "0",
      role: "group",
      translate: "no",
      "aria-label": `Diff of ${visible(this.#path)}`,
    });
    this.#on.comments.bind(box, this.#path);
    const cut = diff.isCut && h("p.muted", { text: "The rest of this diff is not shown." });
    this.#body.replaceChildren(box, ...(cut ? [cut] : []));
    const partners = partnersOf(rows);
    fill(box, rows.length, (from, to) => {
      const elements = rowElements(rows, partners, from, to);
      rows.slice(from, to).forEach(({ hunk, at, gap }, i) => {
        const more = gap && contextButton(colours, gap);
        if (more) elements[i].lastChild?.before(more);
        if (hunk) elements[i].lastChild?.before(this.#discardButton(hunk, at));
      });
      return elements;
    });
  }

  /** @param {string} text */
  #say(text) {
    this.#body.replaceChildren(h("p.muted", { text }));
  }
}

/**
 * The rows of all hunks with the numbers of their lines, and the colours of those that are there now.
 * @param {any[]} hunks @param {import("../diff/pieces.js").Coloured[][]|null} colours
 */
export function rowsOf(hunks, colours) {
  /** @type {(import("../diff/diff-rows.js").Row & {hunk?: string, at?: number, gap?: [number, number]})[]} */
  const rows = [];
  let shown = 0; // the last line of the file that a hunk has shown
  for (const { oldStart, newStart, heading, digest, rows: own } of hunks) {
    let [old, now] = [oldStart, newStart];
    const at = newStart || oldStart;
    rows.push({
      sign: "…",
      text: `Line ${at}  ${heading}`,
      line: null,
      hunk: digest,
      at,
      gap: [shown + 1, newStart - 1],
    });
    for (const { sign, text } of own) {
      const line = sign === "\\" ? null : sign === "-" ? old : now;
      const isThere = sign === "+" || sign === " ";
      rows.push({ sign, text, line, colours: isThere ? colours?.[now - 1] : null });
      if (sign === "-" || sign === " ") old += 1;
      if (isThere) now += 1;
    }
    shown = now - 1;
  }
  return rows;
}
