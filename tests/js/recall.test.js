/** Walking the prompts of a chat in the composer. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { PastPrompts } from "../../sessions/static/sessions/composer/past-prompts.js";
import { Recall } from "../../sessions/static/sessions/composer/recall.js";

/** @param {string[]} held @param {string[][]} [pages] older ones, the nearest page first */
function walk(held, pages = []) {
  const prompts = [...held];
  const older = async () => {
    const page = pages.shift();
    prompts.unshift(...(page ?? []));
    return page !== undefined;
  };
  return { recall: new Recall({ prompts: () => prompts, older }), prompts };
}

test("walks back to the first prompt and forward to the empty line", async () => {
  const { recall } = walk(["one", "two", "three"]);
  const seen = [];
  for (let text = ""; text !== null; text = await recall.before(text)) seen.push(text);
  assert.deepEqual(seen, ["", "three", "two", "one"]);
  assert.deepEqual([recall.after(), recall.after(), recall.after()], ["two", "three", ""]);
  assert.equal(recall.after(), null);
});

test("walks on into pages that are not loaded, past one without prompts", async () => {
  const { recall } = walk(["five"], [["three", "four"], [], ["one", "two"]]);
  const seen = [];
  for (let text = ""; text !== null; text = await recall.before(text)) seen.push(text);
  assert.deepEqual(seen, ["", "five", "four", "three", "two", "one"]);
});

test("a text that a person has changed is not walked away", async () => {
  const { recall } = walk(["one"]);
  await recall.before("");
  assert.equal(recall.canWalk("one"), true);
  assert.equal(recall.canWalk("one!"), false);
  recall.reset();
  assert.equal(recall.canWalk("one"), false);
});

test("an emptied line begins again at the last prompt", async () => {
  const { recall } = walk(["one", "two"]);
  await recall.before("");
  assert.equal(await recall.before("two"), "one");
  assert.equal(await recall.before(""), "two");
});

test("without prompts there is nothing to walk to", async () => {
  const { recall } = walk([]);
  assert.equal(await recall.before(""), null);
  assert.equal(recall.after(), null);
});

test("each walk begins with the prompts that the project has by then", async () => {
  let prompts = ["here"];
  const begin = async () => void (prompts = ["elsewhere", "here"]);
  const recall = new Recall({ prompts: () => prompts, older: async () => false, begin });
  assert.equal(await recall.before(""), "here");
  assert.equal(await recall.before("here"), "elsewhere");
  assert.equal(await recall.before("elsewhere"), null);
});

/** @param {any} history @param {any[]} messages @param {any[]} [pending] */
function pastOf(history, messages, pending = []) {
  const view = /** @type {any} */ ({ snapshot: { messages } });
  const options = {
    api: { history },
    store: { get: () => view },
    isStale: () => false,
    choice: () => ({ projectId: null }),
  };
  const shown = { sessionId: "s", history: { loadOlder: async () => true } };
  return new PastPrompts(options, shown, () => pending);
}

test("the project's prompts, and those that the server does not have yet, each once", async () => {
  const said = { role: "user", clientMsgId: "a", text: "two" };
  const pending = [
    { clientMsgId: "a", text: "two" },
    { clientMsgId: "b", text: "one" },
  ];
  const history = async () => ({ prompts: ["one", "two", "three"] });
  const past = pastOf(history, [said, { role: "assistant" }], pending);
  assert.deepEqual(past.prompts(), ["two", "one"]);
  await past.begin();
  assert.deepEqual(past.prompts(), ["two", "three", "one"]);
});

test("before the project's prompts stand those of this chat that are older", async () => {
  const messages = ["one", "two", "three"].map((text) => ({
    role: "user",
    clientMsgId: text,
    text,
  }));
  const past = pastOf(async () => ({ prompts: ["elsewhere", "three"] }), messages);
  await past.begin();
  assert.deepEqual(past.prompts(), ["one", "two", "elsewhere", "three"]);
  assert.equal(await past.older(), true);
});

test("without an answer the prompts of this chat are walked", async () => {
  const said = { role: "user", clientMsgId: "a", text: "here" };
  const past = pastOf(() => Promise.reject(new Error("away")), [said]);
  await past.begin();
  assert.deepEqual(past.prompts(), ["here"]);
  assert.equal(await past.older(), true);
});
