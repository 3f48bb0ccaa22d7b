/** Short notes on the screen, and announcements for a screen reader. */

import { byId, h } from "./dom.js";

const SHOWN_MS = 8_000;

/** @param {string} text */
export function toast(text) {
  const item = h("p.toast", { text });
  const close = h("button.link", { type: "button", text: "Close", onclick: () => item.remove() });
  item.append(close);
  byId("toasts").append(item);
  setTimeout(() => item.remove(), SHOWN_MS);
}

/** Said once by a screen reader. @param {string} text @param {boolean} [urgent] it interrupts what is being read */
export function announce(text, urgent = false) {
  const region = byId(urgent ? "alerter" : "announcer");
  region.textContent = "";
  requestAnimationFrame(() => {
    region.textContent = text;
  });
}
