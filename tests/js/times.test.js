/** The days of the list of chats. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { dayText } from "../../sessions/static/sessions/words/times.js";

test("a chat stands under the day of its last activity", () => {
  const now = new Date(2026, 10, 23, 0, 30);
  const at = (...parts) => new Date(.../** @type {[number, number]} */ (parts)).toISOString();
  const cases = [
    [at(2026, 10, 23, 0, 10), "Today"],
    [at(2026, 10, 24, 9), "Today"], // a clock that is ahead
    [at(2026, 10, 22, 23, 50), "Yesterday"],
    [at(2026, 10, 21, 23, 50), "Last 7 days"],
    [at(2026, 10, 16), "Last 7 days"],
    [at(2026, 10, 15, 23), "Last 30 days"],
    [at(2026, 9, 24), "Last 30 days"],
    [at(2026, 9, 23), "October 2026"],
    [at(2025, 9, 23), "October 2025"],
    [null, "Today"],
  ];
  for (const [ts, day] of cases)
    assert.equal(dayText(/** @type {string|null} */ (ts), now.getTime()), day, String(ts));
});
