/** The focus, when the button that had it is gone. */

import { byId, isTouch } from "./dom.js";

/**
 * The prompt takes it; on touch, where it would open a keyboard, the heading of the chat, unless something has it.
 * @param {import("../composer/composer.js").Composer} composer
 */
export function refocus(composer) {
  if (!isTouch()) {
    composer.focus();
    return;
  }
  const { activeElement } = document;
  if (activeElement !== document.body && activeElement?.checkVisibility()) return;
  const heading = byId("title");
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}
