import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { visible } from "../../sessions/static/sessions/words/visible.js";

const golden = JSON.parse(
  readFileSync(new URL("../golden/visible.json", import.meta.url), { encoding: "utf8" }),
);

describe("visible", () => {
  for (const { text, shown } of golden.marked) {
    test(`marks what hides in ${JSON.stringify(shown)}`, () => assert.equal(visible(text), shown));
  }

  for (const text of golden.kept) {
    test(`keeps ${text}`, () => assert.equal(visible(text), text));
  }

  for (const [name, ranges] of Object.entries(golden.ranges)) {
    test(`marks all of: ${name}`, () => {
      for (const [from, to] of /** @type {number[][]} */ (ranges)) {
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
