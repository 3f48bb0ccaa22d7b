/** Short notes on the screen, and announcements for a screen reader. */

import { byId, h } from "../elements/dom.js";

const SHOWN_MS = 8_000;

/**
 * @param {string} text @param {{label: string, run: () => void}|null} [action]
 * @param {boolean} [isKept] it stays until a person closes it
 * @returns {() => void} takes it off the screen
 */
export function toast(text, action = null, isKept = false) {
  const item = h("p.toast", { text });
  if (action) {
    const button = h("button.link", { type: "button", text: action.label });
    button.addEventListener("click", () => {
      item.remove();
      action.run();
    });
    item.append(button);
  }
  const close = h("button.link", { type: "button", text: "Close", onclick: () => item.remove() });
  item.append(close);
  byId("toasts").append(item);
  if (!isKept) setTimeout(() => item.remove(), SHOWN_MS);
  return () => item.remove();
}

/** Said where a module cannot be loaded. @returns {null} */
export function notLoaded() {
  toast("The server cannot be reached: try again.");
  return null;
}

/** Said once by a screen reader. @param {string} text @param {boolean} [urgent] it interrupts what is being read */
export function announce(text, urgent = false) {
  const region = byId(urgent ? "alerter" : "announcer");
  region.textContent = "";
  requestAnimationFrame(() => {
    region.textContent = text;
  });
}
