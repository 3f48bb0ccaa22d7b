/** Signed out while the page is open: says so, keeps everything, and goes on when the same person is back. */

import { byId, setText } from "./dom.js";

/** A page that loads itself anew again and again is worse than one that asks. */
const RELOAD_PAUSE_MS = 30_000;
const RELOADED = "backstay.reloaded";

export class Login {
  #options;
  #lost = false;

  /** @param {{outbox: any, api: any, userId: string|number, storage: Storage|null}} options */
  constructor(options) {
    this.#options = options;
  }

  /** The server does not know this page's login any more. */
  lost() {
    if (this.#lost) return;
    this.#lost = true;
    this.draw();
    this.check();
  }

  /** Logged in again in another tab, as whoever: the page starts anew with that login and its own outbox. */
  async check() {
    if (!this.#lost) return;
    try {
      await this.#options.api.sessions({ limit: 1 });
    } catch {
      return;
    }
    const last = Number(this.#options.storage?.getItem(RELOADED) ?? 0);
    if (Date.now() - last < RELOAD_PAUSE_MS) return;
    this.#options.storage?.setItem(RELOADED, String(Date.now()));
    location.reload();
  }

  draw() {
    const { waiting, persistent } = this.#options.outbox.status;
    const count = this.#options.outbox.pending;
    const isOut = this.#lost || waiting === "login";
    const isAtRisk = !persistent && count > 0;
    byId("banner").hidden = !isOut && !isAtRisk;
    const action = byId("banner-action");
    action.hidden = !isOut;
    if (isOut) {
      const kept = count
        ? ` ${count === 1 ? "One prompt waits" : `${count} prompts wait`} in this tab and will be sent then.`
        : "";
      setText(byId("banner-text"), `You are signed out.${kept}`);
      action.textContent = "Log in";
      action.href = `/login/?next=${encodeURIComponent(location.pathname)}`;
    } else if (isAtRisk) {
      setText(
        byId("banner-text"),
        "This browser keeps no storage for the page: prompts that wait are lost when the tab is closed.",
      );
    }
  }
}
