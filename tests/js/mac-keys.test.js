/** The names of keys on a Mac. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { nameKeys } from "../../sessions/static/sessions/dialogs/mac-keys.js";

test("Alt and Ctrl have the signs of a Mac, other keys stay", () => {
  const keys = ["Alt", "P", "Ctrl", "Enter"].map((textContent) => ({ textContent }));
  const list = /** @type {any} */ ({ querySelectorAll: () => keys });
  const named = () => keys.map(({ textContent }) => textContent);
  nameKeys(list);
  assert.deepEqual(named(), ["⌥", "P", "⌘", "Enter"]);
  nameKeys(list); // opened a second time
  assert.deepEqual(named(), ["⌥", "P", "⌘", "Enter"]);
});
