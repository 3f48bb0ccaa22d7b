import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import {
  actionLine,
  actionOf,
  deedOf,
  effectOf,
} from "../../sessions/static/sessions/words/action.js";
import { newsOf } from "../../sessions/static/sessions/announcing/news.js";

const golden = JSON.parse(
  readFileSync(new URL("../golden/requests.json", import.meta.url), "utf8"),
);
const texts = (input) => actionOf(input).parts.map(({ label, text }) => `${label}=${text}`);

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

  test("takes no field of every object for one of the input", () => {
    const input = JSON.parse('{"__proto__": {"command": "x"}, "constructor": "y"}');
    assert.deepEqual(
      actionOf(input).parts.map(({ label }) => label),
      ["__proto__", "constructor"],
    );
  });
});

describe("a request is told as in the terminal", () => {
  for (const { input, isKnown, isClear } of golden.actions) {
    test(`from ${JSON.stringify(input)}`, () => {
      const action = actionOf(input);
      assert.deepEqual([action.isKnown, action.isKnown && action.isWhole], [isKnown, isClear]);
    });
  }

  for (const { kind, label, effect } of golden.options) {
    test(`with an option of kind ${kind} called ${label}`, () => {
      assert.equal(effectOf({ kind, label }), effect);
    });
  }

  for (const { kind, deed } of golden.kinds) {
    test(`with a tool of kind ${JSON.stringify(kind)}`, () => assert.equal(deedOf(kind), deed));
  }
});

describe("a notification", () => {
  test("tells the command and not the agent's title for it", () => {
    const input = { description: "List", command: "rm -rf ~" };
    const request = { title: "List files", toolName: "run", toolKind: "execute", input };
    assert.equal(actionLine(request), "runs a command: rm -rf ~");
    assert.match(newsOf({ type: "permission_request", ...request }), /rm -rf ~/);
  });

  test("says that an action is not known", () => {
    const request = { title: "List files", toolName: "run", toolKind: "execute", input: null };
    assert.equal(actionLine(request), "The agent did not say what it will do.");
  });
});
