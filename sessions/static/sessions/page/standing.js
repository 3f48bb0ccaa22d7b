/** How this page stands with the server: signed in, signed out, refused, or cut off by another server. */

import { keep, kept } from "../../transport/browser/storage.js";
import { byId, setText } from "../elements/dom.js";
import { under } from "../server/paths.js";
import { standingText } from "../words/connection-text.js";

/** A page that reloads itself again and again is worse than one that asks. */
const RELOAD_PAUSE_MS = 30_000;
const RELOADED = "backstay.reloaded";

/**
 * @typedef {"in"|"out"|"token"|"origin"|"foreign"} Standing out: signed out; token, origin: the server refuses the
 *   requests of this page; foreign: another server answers in its place
 */

/** The refusals that concern the whole page. @type {Record<string, Standing>} */
const REFUSALS = {
  unauthenticated: "out",
  origin_key_missing: "out",
  csrf_failed: "token",
  origin_refused: "origin",
};

export class StandingView {
  #options;
  /** @type {Standing} */
  #standing = "in";
  #told = "";

  /**
   * @param {{outbox: import("../../transport/outbox.js").Outbox, api: any, storage: Storage|null,
   *   beforeReload: () => void}} options
   */
  constructor(options) {
    this.#options = options;
  }

  /** An answer of the server, or of another one in its place. @param {{isForeign: boolean, body: any}} answer */
  heard({ isForeign, body }) {
    const refusal = REFUSALS[body?.code];
    if (isForeign) this.#set("foreign");
    else if (refusal) this.#set(refusal, body.error);
    else if (this.#standing === "foreign") this.#set("in");
  }

  /** The server does not know this page's log-in any more. */
  lost() {
    this.#set("out");
  }

  /** Logged in again in another tab, perhaps as another person: the page starts again with that log-in. */
  async check() {
    if (this.#standing !== "out" && this.#standing !== "token") return;
    try {
      await this.#options.api.sessions({ limit: 1 });
    } catch {
      return;
    }
    const last = Number(kept(this.#options.storage, RELOADED) ?? 0);
    if (Date.now() - last < RELOAD_PAUSE_MS) return;
    if (!keep(this.#options.storage, RELOADED, String(Date.now()))) return; // it could not be noted: no loop
    this.#options.beforeReload();
    location.reload();
  }

  draw() {
    const { isKept, pending } = this.#options.outbox;
    const text = standingText(this.#standing, this.#told, pending.length, isKept);
    byId("banner").hidden = !text;
    if (text) setText(byId("banner-text"), text);
    const action = byId("banner-action");
    action.hidden = this.#standing === "in";
    setText(action, this.#standing === "out" ? "Log in" : "Reload");
    const here = location.pathname;
    action.href =
      this.#standing === "out"
        ? `${under("/login/")}?again=1&next=${encodeURIComponent(here)}`
        : here;
  }

  /** @param {Standing} standing @param {string} [told] the server's own sentence */
  #set(standing, told = "") {
    if (standing === this.#standing) return;
    // Another server may stand before a page that is signed out as well: the first word holds.
    if (standing === "foreign" && this.#standing !== "in") return;
    this.#standing = standing;
    this.#told = told;
    this.draw();
    this.check();
  }
}
