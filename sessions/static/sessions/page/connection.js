/** The state of the connection, in the header: a label, and a button for the next try. */

import { byId, setText } from "../elements/dom.js";
import { canHurry, downFor, isStale, lineText } from "../words/connection-text.js";

/** A word that flashes for a moment is worse than none. */
const SAID_AFTER_MS = 250;

export class ConnectionView {
  #options;
  #loadingSince = 0;

  /** Whether the page may be out of date. */
  isStale = false;

  /**
   * @param {{status: () => any, isUpToDate: () => boolean, hurry: () => void, focusElsewhere: () => void,
   *   onStale: () => void}} options isUpToDate: whether the chat is drawn up to its newest event; onStale: isStale has
   *   changed
   */
  constructor(options) {
    this.#options = options;
    byId("line-retry").addEventListener("click", () => options.hurry());
    for (const name of ["online", "offline"]) addEventListener(name, () => this.draw());
  }

  get downFor() {
    return downFor(this.#options.status(), Date.now());
  }

  /** Once a second: how long the connection is down. */
  tick() {
    if (byId("line").dataset.kind !== "live") this.draw();
  }

  draw() {
    const status = this.#options.status();
    const isUpToDate = this.#options.isUpToDate();
    const { kind, label, since = "" } = lineText(status, navigator.onLine, Date.now(), isUpToDate);
    byId("line").dataset.kind = kind;
    this.#setStale(isStale(status, navigator.onLine, Date.now()));
    byId("line").title = status.reason ? `Last reason: ${status.reason}` : "";
    if (this.#isSaid(kind)) setText(byId("line-text"), label);
    setText(byId("line-since"), since);
    const hurry = byId("line-retry");
    const isOffered = canHurry(status, Date.now());
    if (!isOffered && document.activeElement === hurry) this.#options.focusElsewhere();
    hurry.hidden = !isOffered;
  }

  /** The dot alone shows a chat that is loaded at once. @param {string} kind */
  #isSaid(kind) {
    if (kind !== "loading") this.#loadingSince = 0;
    else this.#loadingSince ||= Date.now();
    return kind !== "loading" || Date.now() - this.#loadingSince > SAID_AFTER_MS;
  }

  /** @param {boolean} stale */
  #setStale(stale) {
    if (stale === this.isStale) return;
    this.isStale = stale;
    document.body.classList.toggle("is-stale", stale);
    this.#options.onStale();
  }
}
