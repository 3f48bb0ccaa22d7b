/**
 * The rows of the list of chats as elements, changed in place, each group under its heading.
 *
 * Tab reaches one of them, the chat that is shown or the row that had the focus last; the arrows reach the others.
 */

import { h, icon, ICONS, setText } from "../elements/dom.js";
import { under } from "../server/paths.js";
import { groupsOf } from "./sidebar-groups.js";
import { visible } from "../words/visible.js";

/** @typedef {import("./sidebar-row.js").Row} Row */

export class SidebarList {
  #options;
  /** @type {Map<string, any>} the views of rows, by session */
  #views = new Map();
  /** @type {Map<string, HTMLElement>} the headings, by their groups */
  #headings = new Map();
  /** @type {import("./sidebar-groups.js").Group[]} */
  #groups = [];
  /** @type {Set<string>} the projects whose chats are folded away */
  #folded = new Set();
  /** @type {HTMLElement|null} what Tab reaches */
  #stop = null;
  /** @type {Element|null} the link of the chat that is shown */
  #shown = null;

  /**
   * @param {{list: HTMLElement, create: (sessionId: string) => any, standingOf: (sessionId: string) => any,
   *   projects: import("../new-chat/projects.js").Projects, serverNow: () => number, redraw: () => void}} options
   */
  constructor(options) {
    this.#options = options;
    options.list.addEventListener("focusin", ({ target }) => {
      const row = /** @type {Element} */ (target).closest("li");
      this.#setStop(row?.querySelector("a, button") ?? null);
    });
  }

  /** In the order in which they are listed. @returns {Row[]} */
  get rows() {
    return this.#groups.flatMap(({ rows }) => rows);
  }

  /** @param {Row[]} rows the last active first @param {Row|null} first an older one @param {boolean} isFound by a search */
  draw(rows, first, isFound) {
    const { list, standingOf, projects, serverNow } = this.#options;
    const focused = /** @type {HTMLElement|null} */ (list.querySelector(":focus"));
    const projectOf = (row) => (isFound ? null : projects.find(row.projectId));
    this.#groups = groupsOf(rows, { first, projectOf, now: serverNow() });
    /** @type {HTMLElement[]} */
    const elements = [];
    for (const group of this.#groups) {
      const standings = group.rows.map((row) => standingOf(row.sessionId));
      elements.push(this.#heading(group, standings));
      group.rows.forEach((row, at) => {
        const view = this.#view(row.sessionId);
        view.update(row, standings[at]);
        view.element.hidden = this.#folded.has(group.key) && !standings[at].isShown;
        elements.push(view.element);
      });
    }
    this.#forgetAllBut(new Set(elements));
    let place = list.firstElementChild;
    for (const element of elements) {
      if (element === place) place = place.nextElementSibling;
      else list.insertBefore(element, place);
    }
    this.#chooseStop(list.querySelector("[aria-current]"));
    // A row that moves loses the focus, and one that leaves the list takes it along.
    if (focused && !list.querySelector(":focus"))
      (focused.isConnected ? focused : this.#stop)?.focus({ preventScroll: true });
  }

  /** @param {HTMLElement|null} shown the link of the chat that is shown */
  #chooseStop(shown) {
    const isThere = this.#stop?.matches("ul > :not([hidden]) > *");
    if (isThere && shown === this.#shown) return;
    this.#shown = shown;
    this.#setStop(shown ?? this.#options.list.querySelector("li:not([hidden]) > :is(a, button)"));
  }

  /** @param {HTMLElement|null} stop */
  #setStop(stop) {
    if (this.#stop) this.#stop.tabIndex = -1;
    if (stop) stop.tabIndex = 0;
    this.#stop = stop;
  }

  #view(sessionId) {
    const view = this.#views.get(sessionId) ?? this.#options.create(sessionId);
    this.#views.set(sessionId, view);
    return view;
  }

  /** A project's heading folds its chats away, and tells of those that have news. */
  #heading({ key, title, project }, standings) {
    const heading = this.#headings.get(key) ?? (project ? this.#button(key, project) : h("li.day"));
    this.#headings.set(key, heading);
    if (!project) {
      setText(heading, title);
      return heading;
    }
    const button = /** @type {HTMLElement} */ (heading.firstElementChild);
    const [name, branch] = button.children;
    const hasNews = standings.some(({ isNew }) => isNew);
    setText(name, visible(title));
    setText(branch, project.git ? visible(project.git.branch || "git") : "");
    button.title = project.folder;
    button.classList.toggle("is-new", hasNews);
    button.setAttribute("aria-expanded", String(!this.#folded.has(key)));
    button.setAttribute("aria-label", `${title}${hasNews ? ", new answers" : ""}`);
    button.nextElementSibling?.setAttribute("aria-label", `Project ${title}`);
    return heading;
  }

  #button(key, { id }) {
    const fold = () => {
      if (!this.#folded.delete(key)) this.#folded.add(key);
      this.#options.redraw();
    };
    const name = h("span.project-name", { dir: "auto" });
    const button = h("button.project-fold", { type: "button", tabindex: -1, onclick: fold }, name);
    button.append(h("span.folder-branch", { dir: "auto" }));
    const href = under(`/account/projects/${id}/`);
    const page = h("a.icon-button.row-more", { href, tabindex: -1 }, icon(ICONS.more));
    return h("li.day.project-heading", {}, button, page);
  }

  #forgetAllBut(elements) {
    for (const [id, { element }] of this.#views) {
      if (elements.has(element)) continue;
      element.remove();
      this.#views.delete(id);
    }
    for (const [key, element] of this.#headings) {
      if (elements.has(element)) continue;
      element.remove();
      this.#headings.delete(key);
    }
  }
}
