/** The list of chats: newest first, searched on the server, kept fresh by frames and by asking again. */

import { setText } from "../elements/dom.js";
import { oneByOne } from "../server/one-by-one.js";
import { SidebarList } from "./sidebar-list.js";
import { createRow, rowOf } from "./sidebar-row.js";

const PAGE = 50;
/** The next page is asked for when the end of the list is this near. */
const NEAR_END_PX = 300;

/** @typedef {import("./sidebar-row.js").Row} Row */

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
  #asked = 0;
  #failed = false;
  #loaded = false;
  #isLoadingMore = false;
  /** A list that is under way may have missed a change: another follows it. */
  refresh = oneByOne(() => this.#load(null));
  #list;
  #end;

  /**
   * @param {{list: HTMLElement, note: HTMLElement, more: HTMLButtonElement, api: any,
   *   open: (id: string) => void, menu: (row: Row, anchor: HTMLElement) => void, agentLabel: (name: string) => string,
   *   projects: import("../new-chat/projects.js").Projects, listed: (rows: Row[]) => void, serverNow: () => number, isStale: () => boolean, unsent: (sessionId: string) => number, told: (sessionId: string) => Partial<Row>}} options
   *   unsent: prompts of a chat that did not go out; told: the state by the last frames, newer than any list
   */
  constructor(options) {
    this.#options = options;
    this.#list = new SidebarList({
      ...options,
      redraw: () => this.#draw(),
      create: (sessionId) => this.#create(sessionId),
      standingOf: (sessionId) => this.#standingOf(sessionId),
    });
    options.projects.onChange(() => this.redraw());
    this.#end = new IntersectionObserver(
      (seen) => seen.some(({ isIntersecting }) => isIntersecting) && this.#loadMore(),
      { root: options.more.parentElement, rootMargin: `${NEAR_END_PX}px` },
    );
    options.more.addEventListener("click", () => this.#loadMore());
  }

  /** In the order in which they are listed. @returns {Row[]} */
  get rows() {
    return this.#list.rows;
  }

  row(sessionId) {
    return [...this.#rows, this.#openRow].find((row) => row?.sessionId === sessionId) ?? null;
  }

  /** The chat that is shown, when it is older than the rows that are loaded. @returns {Row|null} */
  get #openRow() {
    const id = this.#shown;
    if (!id || !this.lacks(id) || this.#searched) return null;
    const told = this.#options.told(id);
    if (told.state === undefined) return null; // nothing is known of it yet
    return /** @type {Row} */ ({ lastActivityAt: null, ...told, sessionId: id });
  }

  /** Whether a chat is not among the rows that have come. @param {string} sessionId */
  lacks(sessionId) {
    return this.#loaded && !this.#rows.some((row) => row.sessionId === sessionId);
  }

  /** Lists the chats that a text finds, all of them where it is empty. @param {string} text */
  find(text) {
    this.#search = text;
    return this.#load(null);
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
    if (at < 0) {
      if (sessionId === this.#shown) this.#draw();
      return;
    }
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

  /** Everything up to seq was seen, on this device or another. @param {string} sessionId @param {number} seq */
  markRead(sessionId, seq) {
    this.#news.delete(sessionId);
    this.patch(sessionId, { readSeq: seq, isUnread: false });
  }

  remove(sessionId) {
    this.#rows = this.#rows.filter((row) => row.sessionId !== sessionId);
    this.#draw();
  }

  async #loadMore() {
    if (this.#isLoadingMore || this.#failed || this.#next === null) return;
    this.#isLoadingMore = true;
    await this.#load(this.#next);
    this.#isLoadingMore = false;
    this.#watchEnd();
  }

  /** Looks again whether the end of the list is near: it may have stayed so. */
  #watchEnd() {
    this.#end.disconnect();
    if (!this.#options.more.hidden) this.#end.observe(this.#options.more);
  }

  async #load(before) {
    const asked = ++this.#asked;
    const search = this.#search;
    try {
      const {
        sessions,
        pinned = [],
        nextBefore,
      } = await this.#options.api.sessions({
        q: search,
        before,
        limit: PAGE,
      });
      if (asked !== this.#asked) return; // a younger question is under way
      const told = (raw) => ({ ...rowOf(raw), ...this.#options.told(raw.sessionId) });
      const page = sessions.map(told);
      const kept = search === this.#searched ? this.#rows : [];
      const older = before || !nextBefore ? [] : olderThan(page, kept);
      this.#rows = before
        ? [...kept, ...without(page, kept)]
        : joined(search ? null : pinned.map(told), [...page, ...older]);
      if (!older.length) this.#next = nextBefore;
      this.#searched = search;
      this.#failed = false;
      this.#loaded = true;
      this.#options.listed(this.#rows);
      this.#options.projects.learn(page);
    } catch {
      if (asked !== this.#asked) return;
      this.#failed = true;
    }
    this.#draw();
  }

  #draw() {
    const { note, more } = this.#options;
    this.#list.draw(this.#rows, this.#openRow, Boolean(this.#searched));
    const hadMore = !more.hidden;
    more.hidden = this.#next === null;
    if (hadMore === more.hidden) this.#watchEnd();
    setText(note, this.#noteText());
    note.hidden = !note.textContent;
  }

  #standingOf(sessionId) {
    return {
      isShown: sessionId === this.#shown,
      isNew: this.#news.has(sessionId) || isUnread(this.row(sessionId), this.#shown),
      unsent: this.#options.unsent(sessionId),
    };
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
    const { open, menu, serverNow, agentLabel, isStale } = this.#options;
    return createRow(sessionId, {
      ...{ open, serverNow, agentLabel, isStale },
      menu: (anchor) => menu(this.row(sessionId), anchor),
    });
  }
}

/** The pinned rows before the others; null: found rows, which stand under their days. */
function joined(pinned, rows) {
  if (pinned === null) return rows.map((row) => ({ ...row, pinnedAt: null }));
  return [...pinned, ...without(rows, pinned)];
}

function without(rows, others) {
  const ids = new Set(others.map((row) => row.sessionId));
  return rows.filter((row) => !ids.has(row.sessionId));
}

/** The rows of the pages behind the first: a refresh of the first page keeps them. */
function olderThan(page, rows) {
  const last = page.at(-1).lastActivityAt;
  return without(rows, page).filter((row) => !row.pinnedAt && row.lastActivityAt <= last);
}

function isUnread(row, shown) {
  return Boolean(row?.isUnread) && row.sessionId !== shown;
}
