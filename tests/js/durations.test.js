/** The words for spans of time. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { leftText } from "../../sessions/static/sessions/words/durations.js";

test("the time that is left is told in minutes, and in seconds in the last one", () => {
  const [s, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000];
  const cases = [
    [10 * minute, "Denied automatically in 10 min"],
    [9 * minute + s, "Denied automatically in 10 min"],
    [9 * minute, "Denied automatically in 9 min"],
    [minute + 1, "Denied automatically in 2 min"],
    [minute, "Denied automatically in 60 s"],
    [s + 1, "Denied automatically in 2 s"],
    [1, "Denied automatically in 1 s"],
    [0, "Time is up"],
    [-s, "Time is up"],
    [hour, "Denied automatically in 1 h"],
    [hour + 4 * minute, "Denied automatically in 1 h 4 min"],
    [47 * hour, "Denied automatically in 47 h"],
    [2 * day, "Denied automatically in 2 days"],
    [30 * day + s, "Denied automatically in 31 days"],
    [null, "Waits until it is answered"],
  ];
  for (const [ms, text] of cases)
    assert.equal(leftText(/** @type {number|null} */ (ms), "Denied"), text, String(ms));
  assert.equal(leftText(minute, "Cancelled"), "Cancelled automatically in 60 s");
});
