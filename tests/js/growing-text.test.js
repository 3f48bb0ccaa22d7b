import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { MAX_RUN, runsOf } from "../../sessions/static/sessions/log/growing-text.js";

describe("the runs of a text", () => {
  for (const [what, text] of /** @type {[string, string][]} */ ([
    ["nothing", ""],
    ["a short text", "a\nb"],
    ["a line of three million characters", "x".repeat(3_000_000)],
    ["many lines", "some words in a line\n".repeat(50_000)],
    ["pairs of halves that meet the limit", "a" + "😀".repeat(MAX_RUN)],
    ["an end at the limit", "x".repeat(MAX_RUN)],
  ])) {
    test(`are ${what}, whole and bounded`, () => {
      const runs = runsOf(text);
      assert.equal(runs.join(""), text);
      assert.ok(runs.every((run) => run.length <= MAX_RUN));
      assert.ok(runs.every((run) => run.isWellFormed()));
    });
  }

  test("end behind a line feed where there is one", () => {
    const runs = runsOf(`${"x".repeat(MAX_RUN - 10)}\n${"y".repeat(100)}`);
    assert.deepEqual(
      runs.map((run) => run.at(-1)),
      ["\n", "y"],
    );
  });
});
