/** The output of a program as a terminal shows it: the golden file of both twins, and any division into pieces. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { Output, spansOf } from "../../sessions/static/sessions/log/output.js";

const golden = JSON.parse(
  readFileSync(new URL("../golden/output.json", import.meta.url), { encoding: "utf8" }),
);

describe("the output of a program", () => {
  for (const { name, text, spans } of golden)
    test(name, () => assert.deepEqual(spansOf(text), spans));

  for (const { name, text, spans } of golden)
    test(`${name}, character by character`, () => {
      const output = new Output();
      const taken = [];
      for (const character of text) {
        output.add(character);
        taken.push(...output.take());
      }
      const told = [...taken, ...output.open];
      assert.equal(told.map(([, part]) => part).join(""), spans.map(([, part]) => part).join(""));
      const styled = (all) =>
        all.flatMap(([style, part]) => [...part].map((one) => (one === "\n" ? one : style + one)));
      assert.deepEqual(styled(told), styled(spans));
    });

  test("a string without an end is not kept", () => {
    const output = new Output();
    output.add("\u001b]0;");
    for (let i = 0; i < 100; i += 1) output.add("x".repeat(1_000));
    output.add("\nnext");
    assert.match(output.open.map(([, text]) => text).join(""), /next$/);
  });
});
