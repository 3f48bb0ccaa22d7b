/** The words for the limits of a field. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { limitsText } from "../../sessions/static/sessions/words/limits-text.js";

/** @type {[object, string][]} */
const WORDS = [
  [{ type: "string" }, ""],
  [{ type: "boolean" }, ""],
  [{ type: "string", minLength: 0 }, ""],
  [{ type: "string", minLength: 2 }, "At least 2 characters"],
  [{ type: "string", maxLength: 1 }, "At most 1 character"],
  [{ type: "string", minLength: 2, maxLength: 5 }, "2 to 5 characters"],
  [{ type: "string", minLength: 5, maxLength: 5 }, "Exactly 5 characters"],
  [{ type: "string", pattern: "^a$", maxLength: 5 }, "At most 5 characters · Pattern ^a$"],
  [{ type: "string", format: "email" }, "E-mail address"],
  [{ type: "string", format: "uri" }, "Whole address, such as https://example.org/"],
  [{ type: "string", format: "date" }, ""],
  [{ type: "string", format: "date-time" }, "Day and time, time zone Asia/Tokyo"],
  [{ type: "number" }, "Number"],
  [{ type: "integer", minimum: 1, maximum: 9 }, "Whole number · 1 to 9"],
  [{ type: "number", minimum: 0 }, "Number · At least 0"],
  [
    { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 },
    "Number · More than 0 · Less than 1",
  ],
  [{ type: "array" }, ""],
  [{ type: "array", minItems: 1 }, "Choose at least 1"],
  [{ type: "array", minItems: 1, maxItems: 3 }, "Choose 1 to 3"],
  [{ type: "array", maxItems: 2 }, "Choose at most 2"],
  [{ type: "odd" }, ""],
];

describe("the limits of a field", () => {
  for (const [told, words] of WORDS)
    test(`${JSON.stringify(told)} are: ${words || "none"}`, () => {
      assert.equal(limitsText(told, "Asia/Tokyo"), words);
    });
});
