/** Copying to the clipboard, and the button for it. */

import { h, icon, ICONS, setText } from "./dom.js";

const SAID_MS = 1_500;

/**
 * @param {string} name of the copied text, for a person who does not see the button's place @param {() => string} text
 * @param {string} word on the button @param {string} sign that stands for the word on touch
 */
export function copyButton(name, text, word = "Copy", sign = ICONS.copy) {
  const label = h("span.action-label", { text: word });
  const named = { type: "button", "aria-label": `${word} ${name}` };
  const button = h("button.copy", named, icon(sign), label);
  const say = (said) => {
    setText(label, said);
    button.classList.toggle("is-told", said !== word);
  };
  button.addEventListener("click", async () => {
    const ok = await copyText(text());
    say(ok ? "Copied" : "Not allowed");
    setTimeout(() => say(word), SAID_MS);
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
