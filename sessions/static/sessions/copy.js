/** Copying to the clipboard, and the button for it. */

import { h, icon, ICONS, setText } from "./dom.js";

const SAID_MS = 1_500;

/** @param {string} name of the copied text, for a person who does not see the button's place @param {() => string} text */
export function copyButton(name, text) {
  const label = h("span.action-label", { text: "Copy" });
  const named = { type: "button", "aria-label": `Copy ${name}` };
  const button = h("button.copy", named, icon(ICONS.copy), label);
  const say = (word) => {
    setText(label, word);
    button.classList.toggle("is-told", word !== "Copy");
  };
  button.addEventListener("click", async () => {
    const ok = await copyText(text());
    say(ok ? "Copied" : "Not allowed");
    setTimeout(() => say("Copy"), SAID_MS);
  });
  return button;
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

/** Over plain http a page is given no clipboard, but a selection can be copied. */
function copySelected(text) {
  const before = document.activeElement;
  const field = /** @type {HTMLTextAreaElement} */ (h("textarea.sr-only"));
  field.value = text;
  document.body.append(field);
  field.select();
  const ok = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus({ preventScroll: true });
  return ok;
}
