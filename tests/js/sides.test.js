/** Side by side: rows keep their order, and a removed row stands beside the added one in its place. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { linesOf } from "../../sessions/static/sessions/diff/diff-sides.js";

const NAMES = { "-": "removed", "+": "added", " ": "other" };
const lines = (signs) => linesOf([...signs].map((sign) => NAMES[sign]));

describe("the lines of a change side by side", () => {
  for (const [signs, expected] of [
    ["", []],
    ["  ", [1, 2]],
    [" -+ ", [1, 2, 2, 3]],
    ["--+ ", [1, 2, 1, 3]],
    ["-++ ", [1, 1, 2, 3]],
    ["++ --", [1, 2, 3, 4, 5]],
    ["-+-+", [1, 1, 2, 2]],
    ["+-", [1, 2]],
  ])
    it(JSON.stringify(signs), () => assert.deepEqual(lines(signs), expected));
});
