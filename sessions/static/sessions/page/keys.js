/** Keys that work anywhere on the page; the composer and the permission cards have their own. */

import { showShortcuts } from "../dialogs/dialogs.js";
import { byId } from "../elements/dom.js";

export function bindKeys({ conversation, sidebar, navigation, drawer, find }) {
  const step = (by) => {
    const at = sidebar.rows.findIndex((row) => row.sessionId === conversation.sessionId);
    const next = sidebar.rows[at < 0 ? 0 : at + by];
    if (next) navigation.open(next.sessionId);
  };
  const search = () => {
    if (drawer.isDrawer) drawer.open();
    byId("search").focus();
    byId("search").select();
  };
  const withAlt = {
    KeyF: find,
    KeyN: () => navigation.open(null),
    KeyP: () => conversation.parts.focusRequest(),
    KeyL: () => conversation.jump(),
    ArrowUp: () => step(-1),
    ArrowDown: () => step(1),
  };

  addEventListener("keydown", (event) => {
    /** @type {(() => void)|null|undefined} */
    let run = null;
    if (event.altKey && !event.ctrlKey && !event.metaKey) run = withAlt[event.code];
    else if ((event.ctrlKey || event.metaKey) && event.code === "KeyK") run = search;
    else if (!event.ctrlKey && !event.metaKey && !isWriting(event.target)) {
      run = { "?": showShortcuts, "/": () => conversation.composer.focus() }[event.key];
    }
    if (event.key === "Escape" && drawer.isOpen) run = () => drawer.close();
    // To look for a dialog goes through the whole page: not for a letter.
    if (!run || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    run();
  });
}

function isWriting(target) {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}
