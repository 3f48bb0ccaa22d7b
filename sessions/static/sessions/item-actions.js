/** The buttons at a message. */

import { h, icon, ICONS } from "./dom.js";

/**
 * A button of a message: a word, or on touch a sign. The second press of a double click would hit the message that has
 * taken the place.
 * @param {string} text @param {"edit"|"again"|"back"|"discard"} sign @param {() => void} run
 */
export function actionButton(text, sign, run) {
  const label = h("span.action-label", { text });
  const button = h(
    "button.action",
    { type: "button", "aria-label": text },
    icon(ICONS[sign]),
    label,
  );
  button.addEventListener("click", ({ detail }) => detail < 2 && run());
  return button;
}
