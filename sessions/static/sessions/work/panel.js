/** The folder of a chat beside it: its changes, which stay current while they are open, and its files. */

import { byId } from "../elements/dom.js";
import { ChangesView } from "./changes-view.js";
import { FilesView } from "./files-view.js";
import { Sides } from "../diff/sides.js";

/** Between two looks; a server that takes its time is asked less often. */
const EVERY_MS = 1_500;
const SHARE = 4;
const TICK_MS = 250;

/** @typedef {"changes"|"files"} Tab */

export class WorkPanel {
  #session;
  #root = byId("work");
  #views;
  /** @type {Tab} */
  #tab = "changes";
  /** @type {string|null} the session that is drawn */
  #drawn = null;
  #timer = 0;
  #nextAt = 0;
  #isBusy = false;
  /** @type {HTMLElement|null} */
  #opener = null;

  /**
   * @param {{api: any, comments: import("./comments.js").Comments, session: () => string|null, storage: Storage|null}} options
   *   session: the chat that is shown; storage: keeps how changes are drawn
   */
  constructor({ api, comments, session, storage }) {
    this.#session = session;
    this.#views = {
      changes: new ChangesView({ api, comments, changed: () => (this.#nextAt = 0) }),
      files: new FilesView({ api, comments }),
    };
    new Sides(storage);
    for (const tab of /** @type {Tab[]} */ (["changes", "files"])) {
      const button = byId(`work-${tab}-tab`);
      button.addEventListener("click", () => this.#choose(tab));
      button.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#step(event));
    }
    byId("work-close").addEventListener("click", () => this.close());
    this.#root.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      event.preventDefault();
      this.close();
    });
  }

  get isOpen() {
    return !this.#root.hidden;
  }

  close() {
    this.#show(false);
    clearInterval(this.#timer);
    this.#mark();
    this.#opener?.focus();
  }

  /** Show a file at a line. @param {string} path @param {number|null} line */
  openFile(path, line) {
    const active = document.activeElement;
    this.#open("files", active instanceof HTMLElement ? active : null);
    this.#views.files.open(path, line);
  }

  /** Open a tab, or close the panel where it is open at that tab. @param {Tab} tab */
  press(tab) {
    if (this.isOpen && this.#tab === tab) this.close();
    else this.#open(tab, byId(`open-${tab}`));
  }

  /** @param {Tab} tab @param {HTMLElement|null} opener */
  #open(tab, opener) {
    if (!this.#session()) return;
    this.#opener = opener;
    if (!this.isOpen) {
      this.#show(true);
      this.#timer = window.setInterval(() => this.#tick(), TICK_MS);
    }
    this.#choose(tab);
    byId(`work-${tab}-tab`).focus();
  }

  /** The page knows by a class: `:has()` would walk all of it whenever anything is shown or hidden. @param {boolean} isOpen */
  #show(isOpen) {
    this.#root.hidden = !isOpen;
    document.body.classList.toggle("has-work", isOpen);
  }

  /** @param {Tab} tab */
  #choose(tab) {
    this.#tab = tab;
    this.#nextAt = 0;
    this.#mark();
    this.#follow();
    this.#tick();
  }

  /** @param {KeyboardEvent} event */
  #step(event) {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.preventDefault();
    this.#choose(this.#tab === "changes" ? "files" : "changes");
    byId(`work-${this.#tab}-tab`).focus();
  }

  #mark() {
    for (const tab of ["changes", "files"]) {
      const isChosen = this.#tab === tab;
      byId(`work-${tab}`).hidden = !isChosen;
      byId(`work-${tab}-tab`).setAttribute("aria-selected", String(isChosen));
      byId(`work-${tab}-tab`).tabIndex = isChosen ? 0 : -1;
      byId(`open-${tab}`).setAttribute("aria-expanded", String(isChosen && this.isOpen));
    }
  }

  /** Turns to the chat that is shown now. */
  #follow() {
    const session = this.#session();
    if (session === this.#drawn) return;
    this.#drawn = session;
    this.#nextAt = 0;
    if (!session) {
      this.close();
      return;
    }
    this.#views.changes.show(session);
    this.#views.files.show(session);
  }

  async #tick() {
    this.#follow();
    const isDue = performance.now() >= this.#nextAt && document.visibilityState === "visible";
    if (!isDue || this.#isBusy || this.#tab !== "changes" || !this.isOpen) return;
    this.#isBusy = true;
    const began = performance.now();
    try {
      this.#nextAt = Infinity; // a wish for an earlier look sets it to 0 meanwhile
      await this.#views.changes.load();
    } finally {
      this.#isBusy = false;
      const tookMs = performance.now() - began;
      if (this.#nextAt) this.#nextAt = began + Math.max(EVERY_MS, SHARE * tookMs);
    }
  }
}
