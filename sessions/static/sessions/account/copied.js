/** Texts of a page beside the chat that have a button to copy them: `data-copied` is the name of such a text. */

import { copyButton } from "../elements/copy.js";

for (const text of document.querySelectorAll("[data-copied]")) {
  const name = /** @type {HTMLElement} */ (text).dataset.copied ?? "";
  text.after(copyButton(name, () => text.textContent));
}
