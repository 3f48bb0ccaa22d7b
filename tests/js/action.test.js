import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { actionOf, offeredOptions, optionNote } from "../../sessions/static/sessions/action.js";

const OPTIONS = [
  { id: "a", kind: "allow_once", label: "Allow" },
  { id: "b", kind: "allow_always", label: "Always" },
  { id: "c", kind: "reject_once", label: "Reject" },
  { id: "d", kind: "reject_always", label: "Never" },
];
const texts = (input) => actionOf(input).parts.map(({ label, text }) => `${label}=${text}`);
const offered = (input) => offeredOptions(OPTIONS, actionOf(input)).map(({ id }) => id);

describe("the action of a request", () => {
  test("is a command as it is typed, with every other field behind it", () => {
    const input = { description: "List", timeout: 5, command: "ls -l\nrm -rf ~", cwd: "/srv" };
    assert.deepEqual(texts(input), [
      "command=ls -l\nrm -rf ~",
      "description=List",
      "timeout=5",
      "cwd=/srv",
    ]);
  });

  test("is never cut", () => {
    const command = `ls${" ".repeat(200_000)}; rm -rf ~`;
    assert.deepEqual(actionOf({ command }).parts, [{ label: "command", text: command }]);
  });

  test("quotes arguments as a shell reads them", () => {
    assert.deepEqual(texts({ command: ["bash", "-lc", "echo 'a b'\nrm x", ""] }), [
      "command=bash -lc 'echo '\\''a b'\\''\nrm x' ''",
    ]);
  });

  test("shows values that are neither text nor arguments as JSON", () => {
    assert.deepEqual(texts({ edits: [{ old: "a", new: "b" }], force: false, count: 0 }), [
      'edits=[\n  {\n    "old": "a",\n    "new": "b"\n  }\n]',
      "force=false",
      "count=0",
    ]);
  });

  test("may be a text or a list without fields", () => {
    assert.deepEqual(texts("rm -rf ~"), ["=rm -rf ~"]);
    assert.deepEqual(texts(["rm", "a b"]), ["=rm 'a b'"]);
  });

  for (const input of [
    null,
    undefined,
    "",
    " \n",
    {},
    [],
    { command: "" },
    { command: " ", path: null },
  ]) {
    test(`is not known from ${JSON.stringify(input)}, and nothing is offered for ever`, () => {
      assert.equal(actionOf(input).isKnown, false);
      assert.deepEqual(offered(input), ["a", "c"]);
    });
  }

  test("is not known from a title alone, which is only a label", () => {
    const action = actionOf({ title: "ls -l" });
    assert.equal(action.isKnown, false);
    assert.deepEqual(offered({ title: "ls -l" }), ["a", "c"]);
  });

  test("is not whole when the server cut it, and nothing is offered for ever", () => {
    assert.equal(actionOf({ truncated: '{"command": "ls' }).isWhole, false);
    assert.deepEqual(offered({ truncated: '{"command": "ls' }), ["a", "c"]);
  });

  test("offers everything when it is known", () => {
    assert.deepEqual(offered({ command: "ls" }), ["a", "b", "c", "d"]);
  });

  test("takes no field of every object for one of the input", () => {
    const input = JSON.parse('{"__proto__": {"command": "x"}, "constructor": "y"}');
    assert.deepEqual(
      actionOf(input).parts.map(({ label }) => label),
      ["__proto__", "constructor"],
    );
  });
});

describe("an option", () => {
  for (const [kind, label, note] of [
    ["allow_once", "Allow once", ""],
    ["allow_once", "Yes", ""],
    ["allow_always", "Yes, and don't ask again", ""],
    ["allow_always", "Allow all edits", ""],
    ["reject_once", "No, and tell the agent", ""],
    ["reject_always", "Never allow", "rejects always"],
    ["reject_always", "Never", ""],
    ["allow_always", "Always", "allows always"],
    ["allow_always", "Reject", "allows always"],
    ["allow_once", "Reject", "allows once"],
    ["reject_once", "Allow", "rejects once"],
    ["allow_once", "Proceed", "allows once"],
    ["something", "Else", ""],
  ]) {
    test(`of kind ${kind} called ${label} is explained by "${note}"`, () => {
      assert.equal(optionNote({ kind, label }), note);
    });
  }
});
