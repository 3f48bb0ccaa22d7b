/** The list of chats: newest first, searched on the server, kept fresh by frames and by asking again. */

import { h, icon, ICONS, setText } from "./dom.js";
import { under } from "./paths.js";
import { visible } from "./visible.js";
import { activityOf, agoText } from "./text.js";

const PAGE = 50;
const SEARCH_PAUSE_MS = 200;

/**
 * @typedef {{sessionId: string, title: string, agent: string, state: string, runState: string, lastActivityAt: string|null}} Row
 */

export class Sidebar {
  #options;
  /** @type {Row[]} */
  #rows = [];
  /** @type {string|null} where the next page begins */
  #next = null;
  #shown = null;
  /** @type {Set<string>} chats whose turn ended while another was shown */
  #news = new Set();
  #search = "";
  #searched = ""; // the words that found the rows
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #searchTimer;
  #asked = 0;
  #failed = false;
  #loaded = false;
  /** @type {Map<string, any>} */
  #elements = new Map();

  /**
   * @param {{list: HTMLElement, search: HTMLInputElement, note: HTMLElement, more: HTMLButtonElement, api: any,
   *   open: (id: string) => void, menu: (row: Row, anchor: HTMLElement) => void, agentLabel: (name: string) => string,
   *   serverNow: () => number, unsent: (sessionId: string) => number, told: (sessionId: string) => Partial<Row>}} options
   *   unsent: prompts of a chat that did not go out; told: the state by the last frames, newer than any list
   */
  constructor(options) {
    this.#options = options;
    options.search.addEventListener("input", () => {
      clearTimeout(this.#searchTimer);
      this.#searchTimer = setTimeout(() => {
        this.#search = options.search.value.trim();
        this.refresh();
      }, SEARCH_PAUSE_MS);
    });
    options.search.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") options.list.querySelector("a")?.focus();
      if (event.key === "Enter" && this.#rows[0]) options.open(this.#rows[0].sessionId);
    });
    options.more.addEventListener("click", () => this.#load(this.#next));
  }

  get rows() {
    return this.#rows;
  }

  row(sessionId) {
    return this.#rows.find((row) => row.sessionId === sessionId) ?? null;
  }

  show(sessionId) {
    this.#shown = sessionId;
    this.#news.delete(sessionId);
    this.#draw();
  }

  /** Draws the times and the names of agents again. */
  redraw() {
    this.#draw();
  }

  /** Changes a row of the list by a frame. */
  patch(sessionId, change) {
    const at = this.#rows.findIndex((row) => row.sessionId === sessionId);
    if (at < 0) return;
    const row = this.#rows[at];
    if (Object.entries(change).every(([key, value]) => row[key] === value)) return;
    this.#rows = this.#rows.with(at, { ...row, ...change });
    this.#draw();
  }

  /** A chat that is not shown has something to read. */
  markNew(sessionId) {
    this.#news.add(sessionId);
    this.#draw();
  }

  remove(sessionId) {
    this.#rows = this.#rows.filter((row) => row.sessionId !== sessionId);
    this.#draw();
  }

  async refresh() {
    await this.#load(null);
  }

  async #load(before) {
    const asked = ++this.#asked;
    const search = this.#search;
    try {
      const { sessions, nextBefore } = await this.#options.api.sessions({
        q: search,
        before,
        limit: PAGE,
      });
      if (asked !== this.#asked) return; // a younger question is under way
      const page = sessions.map((raw) => ({ ...rowOf(raw), ...this.#options.told(raw.sessionId) }));
      const kept = search === this.#searched ? this.#rows : [];
      const older = before || !nextBefore ? [] : olderThan(page, kept);
      this.#rows = before ? [...kept, ...without(page, kept)] : [...page, ...older];
      if (!older.length) this.#next = nextBefore;
      this.#searched = search;
      this.#failed = false;
      this.#loaded = true;
    } catch {
      if (asked !== this.#asked) return;
      this.#failed = true;
    }
    this.#draw();
  }

  #draw() {
    const { list, note, more } = this.#options;
    const ids = new Set(this.#rows.map((row) => row.sessionId));
    for (const [id, { element }] of this.#elements) {
      if (ids.has(id)) continue;
      element.remove();
      this.#elements.delete(id);
    }
    let place = list.firstElementChild;
    for (const row of this.#rows) {
      const view = this.#elements.get(row.sessionId) ?? this.#create(row.sessionId);
      view.update(row, row.sessionId === this.#shown);
      if (view.element === place) place = place.nextElementSibling;
      else list.insertBefore(view.element, place);
    }
    more.hidden = this.#next === null;
    setText(note, this.#noteText());
    note.hidden = !note.textContent;
  }

  #noteText() {
    if (this.#failed)
      return this.#rows.length
        ? "This list may be out of date."
        : "The list of chats could not be loaded.";
    if (!this.#loaded || this.#rows.length) return "";
    return this.#search ? "No chat matches." : "Your chats will be listed here.";
  }

  #create(sessionId) {
    const dot = h("span.dot", { "aria-hidden": "true" });
    const title = h("span.row-title");
    const about = h("span.row-about");
    const link = h(
      "a.row-link",
      {
        href: under(`/s/${sessionId}`),
        onclick: (event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return; // another tab is wanted
          event.preventDefault();
          this.#options.open(sessionId);
        },
      },
      dot,
      h("span.row-text", {}, title, about),
    );
    const more = h(
      "button.icon-button.row-more",
      { type: "button", "aria-haspopup": "true" },
      icon(ICONS.more),
    );
    more.addEventListener("click", () => this.#options.menu(this.row(sessionId), more));
    const element = h("li.row", {}, link, more);
    const update = (row, isShown) => {
      const activity = activityOf(row.state, row.runState);
      const name = visible(row.title || "New chat");
      dot.dataset.run = row.runState;
      dot.dataset.state = row.state;
      setText(title, name);
      const isNew = this.#news.has(row.sessionId) && row.runState === "idle";
      const now = isNew
        ? "New answer"
        : row.runState === "idle"
          ? agoText(row.lastActivityAt, this.#options.serverNow())
          : activity;
      const unsent = this.#options.unsent(row.sessionId);
      link.classList.toggle("is-new", isNew);
      setText(
        about,
        [unsent ? `${unsent} not sent` : "", now, this.#options.agentLabel(row.agent)]
          .filter(Boolean)
          .join(" · "),
      );
      about.classList.toggle("bad", unsent > 0);
      link.title = `${name}: ${activity}`;
      more.setAttribute("aria-label", `Actions for ${name}`);
      if (isShown) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    };
    const view = { element, update };
    this.#elements.set(sessionId, view);
    return view;
  }
}

function without(rows, others) {
  const ids = new Set(others.map((row) => row.sessionId));
  return rows.filter((row) => !ids.has(row.sessionId));
}

/** The rows of the pages behind the first: a refresh of the first page keeps them. */
function olderThan(page, rows) {
  const last = page.at(-1).lastActivityAt;
  return without(rows, page).filter((row) => row.lastActivityAt <= last);
}

/** The fields of the server's row that the list shows. @returns {Row} */
function rowOf(raw) {
  return {
    sessionId: raw.sessionId,
    title: raw.title,
    agent: raw.agent,
    state: raw.state,
    runState: raw.runState,
    lastActivityAt: raw.lastActivityAt,
  };
}
