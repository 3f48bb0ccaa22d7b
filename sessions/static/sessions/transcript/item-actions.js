/** The buttons at a message. */

import { copyButton } from "../elements/copy.js";
import { h, icon, ICONS } from "../elements/dom.js";

const LINK =
  "M8.5 11.5a3.2 3.2 0 0 0 4.6 0l2.4-2.4a3.2 3.2 0 0 0-4.6-4.6l-.9.9M11.5 8.5a3.2 3.2 0 0 0-4.6 0l-2.4 2.4a3.2 3.2 0 0 0 4.6 4.6l.9-.9";

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

/**
 * Copies the address of a message of the chat that is shown; it opens the chat at that message, loaded or not.
 * @param {string} name of the message @param {() => number} seq
 */
export function linkButton(name, seq) {
  const address = () => `${location.origin}${location.pathname}#m${seq()}`;
  return copyButton(`to ${name}`, address, "Copy link", LINK);
}
