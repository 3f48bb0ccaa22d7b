/** Dialogs and the suggestion that close by a press, the log-out and the shortcuts. */

import { byId } from "../elements/dom.js";
import { notLoaded } from "./toasts.js";

/**
 * The button that logs out; it asks first when something would be lost.
 * @param {{unsent: () => number, hasDrafts: () => boolean, logOut: () => Promise<void>,
 *   failed: (failure: any) => void}} options
 */
export function bindLogOut({ unsent, hasDrafts, logOut, failed }) {
  byId("logout-form").addEventListener("submit", async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const count = unsent();
    if (!count && !hasDrafts()) {
      logOut().catch(failed);
      return;
    }
    byId("logout-text").textContent = count
      ? `${count === 1 ? "One prompt has" : `${count} prompts have`} not been sent, and will be dropped.`
      : "The text that you have begun to write will be dropped.";
    const dialogs = await import("./asking.js").catch(notLoaded);
    dialogs?.ask("leave", logOut);
  });
}

export async function showShortcuts() {
  (await import("./shortcuts.js").catch(notLoaded))?.showShortcuts();
}

export function bindDialogs() {
  for (const button of document.querySelectorAll("dialog [data-close]")) {
    button.addEventListener("click", () => button.closest("dialog")?.close());
  }
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }
  byId("open-shortcuts").addEventListener("click", showShortcuts);
  // The suggestion to set a password: the server makes none where it finds the cookie.
  const notNow = /** @type {HTMLButtonElement|null} */ (document.getElementById("not-now"));
  notNow?.addEventListener("click", () => {
    document.cookie = notNow.value;
    byId("no-password").remove();
    byId("scroll").focus();
  });
}
