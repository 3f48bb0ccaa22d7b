import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { promptOf } from "../../sessions/static/sessions/work/comment-prompt.js";
import { partnersOf } from "../../sessions/static/sessions/diff/diff-rows.js";
import { pathIn } from "../../sessions/static/sessions/elements/path-button.js";
import { piecesOf } from "../../sessions/static/sessions/diff/pieces.js";
import { wordMarks } from "../../sessions/static/sessions/diff/words.js";

const shown = (parts) =>
  parts.map(({ text, isChanged }) => (isChanged ? `[${text}]` : text)).join("");
const marks = (before, after) => wordMarks(before, after)?.map(shown) ?? null;

describe("the words by which two lines differ", () => {
  test("one word stands out", () => {
    assert.deepEqual(marks("let a = 1;", "let a = 2;"), ["let a = [1];", "let a = [2];"]);
  });

  test("words that both have stay unmarked between changed ones", () => {
    assert.deepEqual(marks("f(one, two, three)", "f(uno, two, tres)"), [
      "f([one], two, [three])",
      "f([uno], two, [tres])",
    ]);
  });

  test("a word that was added", () => {
    assert.deepEqual(marks("a b", "a new b"), ["a b", "a [new ]b"]);
  });

  test("letters of every script are words", () => {
    assert.deepEqual(marks("größe = 1", "größer = 1"), ["[größe] = 1", "[größer] = 1"]);
  });

  test("two lines without much in common have no marks", () => {
    assert.equal(marks("abc", "xyz"), null);
    assert.equal(marks("", "xyz"), null);
  });

  test("a long line has no marks, and costs nothing", () => {
    assert.equal(marks("x ".repeat(5_000), "y ".repeat(5_000)), null);
  });

  test("any two lines: the parts give both again", () => {
    const words = ["a", "b", " ", "(", "é", "🙂", "_x"];
    for (let i = 0; i < 2_000; i += 1) {
      const line = (/** @type {number} */ seed) =>
        Array.from({ length: 30 }, (_, k) => words[(i * seed + k * k * seed) % words.length]);
      const [before, after] = [line(3).join(""), line(5).join("")];
      const found = wordMarks(before, after);
      if (!found) continue;
      assert.deepEqual(
        found.map((parts) => parts.map(({ text }) => text).join("")),
        [before, after],
      );
    }
  });
});

describe("the pieces of a line", () => {
  const shown = (text, colours, parts) =>
    piecesOf(text, colours, parts).map(({ text: piece, name, isChanged }) =>
      [piece, name, isChanged ? "!" : ""].join("|"),
    );

  test("colours and marks cut each other", () => {
    const colours = [
      { text: "let", name: "k" },
      { text: " abc", name: "" },
    ];
    const parts = [
      { text: "let a", isChanged: false },
      { text: "bc", isChanged: true },
    ];
    assert.deepEqual(shown("let abc", colours, parts), ["let|k|", " a||", "bc||!"]);
  });

  test("colours of another text are left out", () => {
    assert.deepEqual(shown("abc", [{ text: "abd", name: "k" }], null), ["abc||"]);
    assert.deepEqual(shown("", null, null), []);
  });
});

describe("rows that are compared with each other", () => {
  const partners = (/** @type {string} */ signs) => [
    ...partnersOf([...signs].map((sign) => ({ sign, text: "" }))),
  ];

  test("a removed line and the added one in its place", () => {
    assert.deepEqual(partners(" -+ "), [-1, 2, 1, -1]);
    assert.deepEqual(partners("--++"), [2, 3, 0, 1]);
    assert.deepEqual(partners("--+ "), [2, -1, 0, -1]);
    assert.deepEqual(partners("+-"), [-1, -1]);
    assert.deepEqual(partners("-+-+"), [1, 0, 3, 2]);
  });
});

describe("paths in an answer", () => {
  const found = (/** @type {string} */ text) => {
    const named = pathIn(text);
    return named && [named.path, named.line];
  };

  test("a file with its folder, its line, or a known ending", () => {
    assert.deepEqual(found("src/a.py"), ["src/a.py", null]);
    assert.deepEqual(found("src/a.py:12"), ["src/a.py", 12]);
    assert.deepEqual(found("/srv/x/a.unknown:12:3"), ["/srv/x/a.unknown", 12]);
    assert.deepEqual(found("./README.md"), ["./README.md", null]);
    assert.deepEqual(found("a.test.js"), ["a.test.js", null]);
  });

  test("other words name no file", () => {
    for (const text of [
      "console.log",
      "and/or",
      "1.5/2.0",
      "https://example.org/a.html",
      "f(a.py)",
      "rm -rf x.py",
      "",
      `${"a/".repeat(5_000)}x.py`,
      `${"a.".repeat(149)}!`,
    ])
      assert.equal(found(text), null, text.slice(0, 40));
  });
});

describe("comments as a prompt", () => {
  test("each with its path, line and quoted text, in the order of the files", () => {
    const comments = [
      { path: "b.py", line: 2, isOld: true, quote: "x = 1", text: "why?" },
      { path: "a.py", line: 10, quote: "y", text: "two\nlines" },
      { path: "a.py", line: 9, quote: "", text: "first" },
    ];
    assert.equal(
      promptOf(comments),
      "Comments on lines:\n\na.py:9\n> \n\nfirst\n\na.py:10\n> y\n\ntwo\nlines\n\nb.py:2 (removed)\n> x = 1\n\nwhy?",
    );
    assert.equal(promptOf([]), "");
  });
});
