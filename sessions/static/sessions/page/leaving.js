/**
 * Logging out: nothing of this person stays in the browser, and every tab leaves.
 *
 * The keys of the log-in are the sign between tabs: a tab whose keys are gone from the storage leaves at once.
 */

import { keep, kept } from "../../transport/browser/storage.js";
import { keysName, keptKeys } from "../server/origin-key.js";
import { base, under } from "../server/paths.js";

/** Kept by this site and not by the person: the colours of the page. */
const STAYS = new Set(["backstay.theme"]);

export class Leaving {
  #options;
  #hasLeft = false;

  /**
   * @param {{fetch: typeof globalThis.fetch, csrf: () => string, tab: Storage|null, browser: Storage|null,
   *   keys: string, beforeLeave: () => void}} options beforeLeave: ends what would hold the page back or write again
   */
  constructor(options) {
    this.#options = options;
    addEventListener("storage", ({ key, newValue }) => {
      if (key === null || (key === keysName(base()) && !newValue)) this.leave();
    });
  }

  /** Whether a text that was begun is kept here alone. */
  get hasDrafts() {
    const { tab, browser } = this.#options;
    return Object.keys({ ...tab, ...browser }).some((name) => name.startsWith("backstay.draft."));
  }

  /** Another tab may have logged out while this one slept. @returns {boolean} whether this tab leaves */
  check() {
    const { browser, keys } = this.#options;
    if (this.#hasLeft)
      location.reload(); // out of the browser's back cache
    else if (browser && keys && !keptKeys(browser, base())) this.leave();
    return this.#hasLeft;
  }

  /** Logs out. Fails when the server was not reached: then the person is still logged in. */
  async logOut() {
    const { fetch, csrf, browser } = this.#options;
    const stays = [...STAYS].map((name) => [name, kept(browser, name)]);
    const response = await fetch("/logout/", {
      method: "POST",
      headers: { Accept: "application/json", "X-CSRFToken": csrf() },
      credentials: "same-origin",
      redirect: "manual",
    });
    // 403: another log-in has taken the place of this one, which has ended by that.
    if (response.status !== 204 && response.status !== 403)
      throw new Error("The server did not log you out. Try again.");
    forget(browser);
    for (const [name, value] of stays) keep(browser, String(name), value);
    this.leave();
  }

  /** This tab shows and keeps nothing of the person any more. */
  leave() {
    if (this.#hasLeft) return;
    forget(this.#options.tab);
    this.#go("/login/");
  }

  /** This browser is another user's by now: nothing of theirs is shown here. Prompts wait for their own user. */
  giveWay() {
    if (!this.#hasLeft) this.#go("/login/?again=1");
  }

  /** @param {string} to */
  #go(to) {
    this.#hasLeft = true;
    document.documentElement.hidden = true;
    this.#options.beforeLeave();
    location.replace(under(to));
  }

  get hasLeft() {
    return this.#hasLeft;
  }
}

/**
 * A storage that takes nothing more once the page has left: an answer that comes late would be kept for the next
 * person.
 * @param {Storage|null} storage @param {() => boolean} hasLeft @returns {any}
 */
export function closable(storage, hasLeft) {
  return (
    storage && {
      getItem: (name) => storage.getItem(name),
      removeItem: (name) => storage.removeItem(name),
      names: () => Object.keys(storage),
      setItem: (name, value) => hasLeft() || storage.setItem(name, value),
    }
  );
}

/** @param {Storage|null} storage */
function forget(storage) {
  if (!storage) return;
  const names = Object.keys(storage).filter(
    (name) => name.startsWith("backstay.") && !STAYS.has(name),
  );
  for (const name of names) if (isOurs(name)) keep(storage, name, null);
}

/** The keys of another site of this origin, below another path, stay. @param {string} name */
function isOurs(name) {
  return !name.startsWith(keysName("")) || name === keysName(base());
}
