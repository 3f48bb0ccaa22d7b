/** The list of keyboard shortcuts, a dialog that is made when it is first opened. */

import { h } from "../elements/dom.js";
import { nameKeys } from "./mac-keys.js";

/** Keys with a space between them; "…" is no key. */
const SHORTCUTS = [
  ["Enter", "Send the prompt; while the agent works: queue it"],
  ["Shift Enter", "New line"],
  ["Ctrl Enter", "Send the prompt now: it stops the answer and goes next"],
  ["Esc", "In the prompt: stop the answer"],
  ["↑ ↓", "In an empty prompt: walk the prompts of the project"],
  ["Page↑ Page↓", "In the prompt: scroll the conversation"],
  ["Ctrl Home End", "In an empty prompt: its beginning, its end"],
  ["Alt P", "Go to the open permission request"],
  ["1 … 9", "In a permission request: choose that option"],
  ["Alt N", "New chat"],
  ["Ctrl K", "Search chats"],
  ["↑ ↓ →", "In the list of chats: walk it, reach the actions of a chat"],
  ["Alt F", "Find in this chat"],
  ["Alt ↑ ↓", "Chat above, chat below"],
  ["Alt L", "Jump to the latest message"],
  ["/", "Write a prompt"],
  ["?", "This list"],
];

/** @type {HTMLDialogElement|null} */
let dialog = null;

export function showShortcuts() {
  dialog ??= made();
  if (!dialog.open) dialog.showModal();
}

function made() {
  const close = h("button.primary", { text: "Close" });
  const list = h("dl.shortcuts", {}, ...SHORTCUTS.map(([keys, deed]) => row(keys, deed)));
  const root = /** @type {HTMLDialogElement} */ (
    h(
      "dialog",
      { id: "shortcuts-dialog", "aria-labelledby": "shortcuts-title" },
      h("h2", { id: "shortcuts-title", text: "Keyboard shortcuts" }),
      list,
      h("form.dialog-buttons", { method: "dialog" }, close),
    )
  );
  root.addEventListener("click", (event) => event.target === root && root.close());
  if (navigator.platform.startsWith("Mac")) nameKeys(list);
  document.body.append(root);
  return root;
}

/** @param {string} keys @param {string} deed */
function row(keys, deed) {
  const signs = keys.split(" ").flatMap((key) => [key === "…" ? key : sign(key), " "]);
  return h("div", {}, h("dt", {}, ...signs), h("dd", { text: deed }));
}

/** @param {string} key */
function sign(key) {
  return h("kbd", { text: key.replace(/^Page/, "Page ") });
}
