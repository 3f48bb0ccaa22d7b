/** The keys that walk a list. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { stepFrom } from "../../sessions/static/sessions/list/steps.js";

test("the arrows walk a list and stay at its end", () => {
  const keys = ["ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp"];
  /** @type {(number|null)[]} */
  const places = [];
  let at = -1;
  for (const key of keys) places.push((at = stepFrom(at, 2, key) ?? -1));
  assert.deepEqual(places, [0, 1, 1, 0]);
});

test("before the first place there is none", () => {
  assert.equal(stepFrom(0, 3, "ArrowUp"), null);
  assert.equal(stepFrom(-1, 3, "ArrowUp"), null);
});

test("Home and End lead to the ends", () => {
  assert.equal(stepFrom(1, 3, "Home"), 0);
  assert.equal(stepFrom(0, 3, "End"), 2);
});

test("an empty list leads nowhere, and so does another key", () => {
  for (const key of ["ArrowDown", "ArrowUp", "Home", "End"])
    assert.equal(stepFrom(-1, 0, key), null);
  assert.equal(stepFrom(0, 3, "Enter"), null);
});
