import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Fences } from "../../sessions/static/sessions/log/fences.js";

/** @param {string} text @returns {string[]} its parts: "text", or "language|code" with "…" where its fence is open */
function partsOf(text) {
  return told(new Fences().read(text));
}

/** @param {import("../../sessions/static/sessions/log/fences.js").Part[]} parts */
function told(parts) {
  return parts.map(({ isCode, isOpen, language, text }) =>
    isCode ? `${language}|${text}${isOpen ? "…" : ""}` : text,
  );
}

describe("the parts of a text that grows", () => {
  for (const [what, text, parts] of /** @type {[string, string, string[]][]} */ ([
    ["nothing", "", [""]],
    ["a paragraph", "one\ntwo\n", ["one\ntwo\n"]],
    ["code that has begun", "```", ["|…"]],
    ["code whose language is being written", "```pyt", ["|…"]],
    ["code with a language", "```Python title=a\nx = 1\n", ["python|x = 1…"]],
    ["code behind a sentence", "Look:\n\n```js\na()\n\n", ["Look:", "js|a()\n…"]],
    ["code in waves", "~~~ sh `x`\n```\n", ["sh|```…"]],
    ["a word that is no language", "```<b>\nx", ["|x…"]],
    ["code that ends", "```\nx\n``", ["|x…"]],
    ["code that has perhaps ended", "```\nx\n```", ["|x…"]],
    ["code that has ended", "```\nx\n```\n", ["|x\n"]],
    ["text behind code", "```\nx\n```\n\nAnd\n", ["|x\n", "And\n"]],
    ["code behind code", "```\nx\n```\n\n~~~\ny", ["|x\n", "|y…"]],
    ["a longer fence around a shorter one", "````md\n```\nx\n```\n", ["md|```\nx\n```…"]],
    ["code in a list", "1. Run:\n   ```sh\n   a\n     b\n   ```\n", ["1. Run:", "sh|a\n  b\n"]],
    ["a fence that is shown in code", "```md\n    ```\n", ["md|    ```…"]],
    ["code in a line", "```x``` is code\n", ["```x``` is code\n"]],
    ["lines that end in two characters", "```js\r\na\r\n```\r\nAnd", ["js|a\r\n", "And"]],
  ])) {
    test(`are told of ${what}`, () => assert.deepEqual(partsOf(text), parts));
  }

  test("are the same however the text arrives", () => {
    const text =
      "A\n\n```py\nx = 1\n\n  ```` no\n```\n\n- b\n  ~~~\n  y\n  ~~~\nEnd ```z``` of it\n";
    for (let step = 1; step < 8; step += 1) {
      const fences = new Fences();
      for (let end = 0; end < text.length + step; end += step) {
        assert.deepEqual(told(fences.read(text.slice(0, end))), partsOf(text.slice(0, end)));
      }
    }
  });

  test("only grow while code is written", () => {
    const fences = new Fences();
    let before = "";
    const text = "```\none\n``\n\ntwo\n`\n```\n";
    for (let end = 4; end <= text.length; end += 1) {
      const [part] = fences.read(text.slice(0, end));
      assert.ok(part.text.startsWith(before), JSON.stringify([before, part.text]));
      before = part.text;
    }
    assert.equal(before, "one\n``\n\ntwo\n`\n");
  });

  test("begin again with another text", () => {
    const fences = new Fences();
    fences.read("```\nx\n");
    assert.deepEqual(told(fences.read("And\n")), ["And\n"]);
  });
});
