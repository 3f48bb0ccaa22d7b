/** The forms of logging in and of the account: each carries the key of this browser's log-in. */

import { storageOf } from "./server/browser.js";
import { keptKeys, makeKey } from "./server/origin-key.js";
import { base } from "./server/paths.js";

const FIELD = "origin_key";
const UNKEPT =
  "This browser keeps no data of this site. Allow it, or the log-in cannot be told from a copied cookie.";

const storage = storageOf("localStorage");

/** @param {HTMLFormElement} form */
function fill(form) {
  const isLogIn = "keyNew" in form.dataset;
  const key = isLogIn ? makeKey(storage, base()) : keptKeys(storage, base());
  const field = form.elements.namedItem(FIELD);
  if (field instanceof HTMLInputElement) field.value = key;
  else form.append(hidden(key));
}

/** @param {string} value */
function hidden(value) {
  const field = document.createElement("input");
  Object.assign(field, { type: "hidden", name: FIELD, value });
  return field;
}

for (const form of document.querySelectorAll("form"))
  if (form.method === "post") form.addEventListener("submit", () => fill(form), { capture: true });

const note = document.getElementById("unkept");
if (note && !storage) {
  note.textContent = UNKEPT;
  note.hidden = false;
}
