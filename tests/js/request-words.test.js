/** The words of a permission card. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { actionOf } from "../../sessions/static/sessions/words/action.js";
import { isLong } from "../../sessions/static/sessions/cards/permission-action.js";
import {
  hasMarks,
  placeText,
  questionOf,
} from "../../sessions/static/sessions/words/request-words.js";

/** @param {string|null} toolKind @param {any} input @param {string[]} [diffs] */
function question(toolKind, input, diffs = []) {
  const request = { toolKind, input, diffs: diffs.map((path) => ({ path })) };
  return questionOf(request, actionOf(input));
}

describe("the question of a card", () => {
  test("is one of ours for each kind of tool", () => {
    const input = { path: "/srv/a.py", command: "ls", url: "https://example.org/" };
    const questions = {
      delete: "Delete 1 file?",
      edit: "Edit 1 file?",
      execute: "Run this command?",
      fetch: "Open this address?",
      move: "Move files?",
      read: "Read 1 file?",
      search: "Search files?",
      switch_mode: "Change the mode?",
      think: "Let the agent think?",
      other: "Allow this action?",
      toString: "Allow this action?",
      "": "Allow this action?",
    };
    for (const [kind, text] of Object.entries(questions))
      assert.equal(question(kind, input), text, kind);
    assert.equal(question(null, input), "Allow this action?");
  });

  test("names a command or an address only where the card shows one", () => {
    assert.equal(question("execute", "rm x"), "Run this command?");
    assert.equal(question("execute", ["rm", "x"]), "Run this command?");
    assert.equal(question("execute", { timeout: 5 }), "Run a command?");
    assert.equal(question("execute", { command: " " }), "Run a command?");
    assert.equal(question("execute", null), "Run a command?");
    assert.equal(question("fetch", { query: "weather" }), "Fetch from the network?");
  });

  test("counts each file once, by the changes and by the input", () => {
    assert.equal(question("edit", { path: "/a" }, ["/a", "/b", "/c"]), "Edit 3 files?");
    assert.equal(question("edit", { path: "./src/a" }, ["/srv/src/a"]), "Edit 1 file?");
    assert.equal(question("edit", { changes: { "/a": {}, "/b": {} } }), "Edit 2 files?");
    assert.equal(question("edit", { changes: [{ path: "/a", kind: "add" }] }), "Edit 1 file?");
    assert.equal(question("read", { paths: ["/a:3", "/a:9", "b/a"] }), "Read 2 files?");
    assert.equal(question("read", { file_path: ".env" }), "Read 1 file?");
  });

  test("counts no files of which not every path is told", () => {
    for (const path of ["build/", ".", "..", "/", "src/**", "[ab].py", "a/."])
      assert.equal(question("delete", { path }), "Delete files?", path);
    assert.equal(question("delete", { id: 5 }), "Delete files?");
    assert.equal(question("read", { title: "a.py" }), "Read files?");
    assert.equal(question("edit", { path: "/a", truncated: "{" }), "Edit files?");
    const cut = { ...actionOf({ path: "/a" }), isWhole: false };
    assert.equal(questionOf({ toolKind: "edit", input: { path: "/a" } }, cut), "Edit files?");
  });
});

test("a card says its place among the requests that wait", () => {
  assert.deepEqual([1, 2, 3].map(placeText), ["", "1 of 2", "1 of 3"]);
});

test("a text has marks where one of its characters cannot be seen", () => {
  assert.equal(hasMarks(["ls -l\n\té 👩‍💻", "", null, undefined]), false);
  assert.equal(hasMarks(["ls", "gnp\u202eexe"]), true);
  assert.equal(hasMarks(["⟨U+202E⟩"]), false);
});

test("an action is long by its lines, and by lines that need several rows", () => {
  const of = (/** @type {string[]} */ ...texts) =>
    texts.map((text) => ({ label: "command", text }));
  assert.equal(isLong(of("ls\n".repeat(13))), false);
  assert.equal(isLong(of("ls\n".repeat(13), "more")), true);
  assert.equal(isLong(of("x".repeat(14 * 80))), false);
  assert.equal(isLong(of("x".repeat(14 * 80 + 1))), true);
});
