import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { visible } from "../../sessions/static/sessions/words/visible.js";

const golden = JSON.parse(
  readFileSync(new URL("../golden/visible.json", import.meta.url), { encoding: "utf8" }),
);

/** Code points from Unicode's tables, not from the pattern under test. */
const RANGES = {
  "C0 but tab and line feed": [
    [0x00, 0x08],
    [0x0b, 0x1f],
  ],
  "delete and C1": [[0x7f, 0x9f]],
  "soft hyphen and Arabic marks": [
    [0xad, 0xad],
    [0x61c, 0x61c],
    [0x600, 0x605],
    [0x6dd, 0x6dd],
    [0x70f, 0x70f],
    [0x8e2, 0x8e2],
  ],
  "zero-width and direction marks": [[0x200b, 0x200f]],
  "separators and embeddings": [[0x2028, 0x202e]],
  "invisible operators and isolates": [[0x2060, 0x206f]],
  "byte order mark": [[0xfeff, 0xfeff]],
  "interlinear annotations": [[0xfff9, 0xfffb]],
  "halves of characters": [[0xd800, 0xdfff]],
  "combining grapheme joiner": [[0x34f, 0x34f]],
  "fillers of Hangul": [
    [0x115f, 0x1160],
    [0x3164, 0x3164],
    [0xffa0, 0xffa0],
  ],
  "Khmer inherent vowels": [[0x17b4, 0x17b5]],
  "Mongolian selectors": [[0x180b, 0x180f]],
  "variation selectors": [
    [0xfe00, 0xfe0f],
    [0xe0100, 0xe01ef],
  ],
  "blank Braille and headless note": [
    [0x2800, 0x2800],
    [0x1d159, 0x1d159],
  ],
  "shorthand and musical formats": [
    [0x1bca0, 0x1bca3],
    [0x1d173, 0x1d17a],
  ],
  "hieroglyph formats": [[0x13430, 0x1343f]],
  "Kaithi number signs": [
    [0x110bd, 0x110bd],
    [0x110cd, 0x110cd],
  ],
  tags: [[0xe0001, 0xe007f]],
};

describe("visible", () => {
  for (const { text, shown } of golden.marked) {
    test(`marks what hides in ${JSON.stringify(shown)}`, () => assert.equal(visible(text), shown));
  }

  for (const text of golden.kept) {
    test(`keeps ${text}`, () => assert.equal(visible(text), text));
  }

  for (const [name, ranges] of Object.entries(RANGES)) {
    test(`marks all of: ${name}`, () => {
      for (const [from, to] of ranges) {
        for (let code = from; code <= to; code += 1) {
          const mark = `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
          assert.equal(visible(`ls${String.fromCodePoint(code)} -l`), `ls${mark} -l`);
        }
      }
    });
  }

  test("leaves no control and no format character of all of Unicode unmarked", () => {
    for (let code = 0; code <= 0x10ffff; code += 1) {
      const character = String.fromCodePoint(code);
      const isHidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Variation_Selector}]/u.test(character);
      if (isHidden && !"\n\t".includes(character)) {
        assert.ok(!visible(`rm${character} x`).includes(character), code.toString(16));
      }
    }
  });

  test("shows a new line as a new line", () => {
    assert.equal(visible("ls -l\n\trm -rf ~"), "ls -l\n\trm -rf ~");
    assert.equal(visible("ls -l\r\nrm"), "ls -l⟨U+000D⟩\nrm");
  });
});
