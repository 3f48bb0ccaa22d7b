/** The list of files that differ, each with its diff on demand. */

import { byId, setText } from "../elements/dom.js";
import { ChangeItem } from "./change-item.js";
import { CommitForm } from "./commit-form.js";

export class ChangesView {
  #api;
  #comments;
  #changed;
  #list = byId("work-list");
  #since = byId("work-since");
  #form;
  /** @type {string} */
  #session = "";
  /** @type {Map<string, ChangeItem>} */
  #items = new Map();

  /** @param {{api: any, comments: import("./comments.js").Comments, changed: () => void}} options changed: look at once */
  constructor({ api, comments, changed }) {
    this.#api = api;
    this.#comments = comments;
    this.#changed = changed;
    this.#form = new CommitForm(async (session, message) => {
      await api.commit(session, message);
      changed();
    });
    this.#since.addEventListener("change", () => {
      this.show(this.#session);
      changed();
    });
  }

  /** Begin with a chat. @param {string} session */
  show(session) {
    if (session !== this.#session) this.#since.value = "chat";
    this.#session = session;
    this.#items.clear();
    this.#list.replaceChildren();
    this.#form.draw(session, []);
    setText(byId("work-total"), "");
    setText(byId("work-note"), "Looking at the folder");
  }

  /** Draw the folder as it is now. Never rejects. */
  async load() {
    const session = this.#session;
    const since = this.#since.value;
    const isOver = () => session !== this.#session || since !== this.#since.value;
    try {
      const answer = await this.#api.changes(session, { since });
      if (isOver()) return;
      this.#draw(answer);
      for (const item of [...this.#items.values()]) {
        if (item.isOpen) await item.load();
        if (isOver()) return;
      }
    } catch (failure) {
      if (!isOver()) setText(byId("work-note"), failure instanceof Error ? failure.message : "");
    }
  }

  /** @param {any} answer */
  #draw(answer) {
    const { files, hasMore, hasHead, staged } = answer;
    this.#form.draw(this.#session, staged);
    this.#since.options[1].disabled = !hasHead;
    const sum = (/** @type {string} */ name) =>
      files.reduce(
        (/** @type {number} */ all, /** @type {any} */ row) => all + (row[name] ?? 0),
        0,
      );
    const word = files.length === 1 ? "file" : "files";
    const total = `${files.length}${hasMore ? "+" : ""} ${word}, +${sum("added")} −${sum("removed")}`;
    setText(byId("work-total"), files.length ? total : "");
    setText(byId("work-note"), noteOf(answer, this.#since.value));
    const paths = new Set(files.map((/** @type {any} */ { path }) => path));
    for (const [path, item] of this.#items) {
      if (paths.has(path)) continue;
      item.element.remove();
      this.#items.delete(path);
    }
    files.forEach((/** @type {any} */ row, /** @type {number} */ i) => {
      const item = this.#items.get(row.path) ?? this.#make(row.path);
      item.draw(row, hasHead ? staged.includes(row.path) : null);
      const there = this.#list.children[i] ?? null;
      if (there !== item.element) this.#list.insertBefore(item.element, there);
    });
  }

  /** @param {string} path */
  #make(path) {
    const session = this.#session;
    const since = this.#since.value;
    const item = new ChangeItem(path, {
      load: () => this.#api.changes(session, { since, path }),
      file: () => this.#api.file(session, path),
      comments: this.#comments,
      discard: async (hunk) => {
        await this.#api.discard(session, { path, since, hunk });
        this.#changed();
      },
      stage: async (isWanted) => {
        await this.#api.stage(session, path, isWanted);
        this.#changed();
      },
    });
    this.#items.set(path, item);
    return item;
  }
}

/** @param {any} answer @param {string} wanted */
function noteOf({ files, note, since, basis, hasMore }, wanted) {
  const parts = [note];
  if (basis === "git" && since !== wanted)
    parts.push("The start of this chat was not recorded: compared with HEAD.");
  if (!files.length && basis !== "none") parts.push("No file differs.");
  if (hasMore) parts.push("There are more files than are shown.");
  return parts.filter(Boolean).join(" ");
}
