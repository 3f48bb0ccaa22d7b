/** The items of the transcript: the prompt of an answer, the places of prompts that wait, a stale answer. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { itemsOf } from "../../sessions/static/sessions/log/items.js";
import { emptyView } from "../../sessions/static/sessions/log/store.js";

const prompt = (seq, promptState, turnId = null) => ({
  messageId: `u${seq}`,
  role: "user",
  seq,
  turnId,
  text: `prompt ${seq}`,
  clientMsgId: `c${seq}`,
  promptState,
  stopReason: null,
});
const answer = (seq, turnId) => ({
  messageId: `a${seq}`,
  role: "assistant",
  seq,
  turnId,
  blocks: [],
});

function view(messages, more = {}) {
  const empty = emptyView("s");
  return { ...empty, snapshot: { ...empty.snapshot, messages, ...more } };
}

const itemOf = (items, key) => items.find((item) => item.key === key);

test("an answer knows the text of its prompt, once that is held", () => {
  const messages = [answer(2, "t0"), prompt(3, "answered", "t1"), answer(4, "t1")];
  const items = itemsOf(view(messages), []);
  assert.equal(itemOf(items, "m:a4").prompt, "prompt 3");
  assert.equal(itemOf(items, "m:a2").prompt, null);
});

test("the last answer of a turn has the usage of the turn", () => {
  const usage = { inputTokens: 7, outputTokens: 5 };
  const messages = [
    { ...prompt(3, "answered", "t1"), usage },
    answer(4, "t1"),
    answer(5, "t1"),
    answer(6, "t2"),
  ];
  const items = itemsOf(view(messages), []);
  const usages = ["m:a4", "m:a5", "m:a6"].map((key) => itemOf(items, key).usage ?? null);
  assert.deepEqual(usages, [null, usage, null]);
});

test("prompts that wait for the agent are counted in the order in which they run", () => {
  const messages = [prompt(1, "dispatched", "t"), prompt(2, "accepted"), prompt(3, "accepted")];
  const queue = [3, 2].map((seq) => ({ clientMsgId: `c${seq}`, seq }));
  const places = (turn) => itemsOf(view(messages, { queue, turn }), []).map(({ place }) => place);
  assert.deepEqual(places(null), [0, 2, 1]);
  assert.deepEqual(places({ turnId: "t", clientMsgId: "c1" }), [0, 3, 2]); // the running one is the first
});

test("an answer under way is stale while the line is down", () => {
  const running = {
    current: answer(2, "t"),
    turn: { turnId: "t", clientMsgId: "c1" },
    runState: "running",
  };
  const held = view([prompt(1, "dispatched", "t")], running);
  const lives = (isStale) => itemsOf(held, [], isStale).map(({ live }) => live);
  assert.deepEqual(lives(false), ["", "live", "live"]);
  assert.deepEqual(lives(true), ["", "stale", "stale"]);
});

test("imported messages stand where the log has them, though no turn is held", () => {
  const past = (message) => ({ ...message, imported: true, turnId: message.turnId ?? null });
  const messages = [
    past(prompt(2, "answered")),
    past(answer(3, "i-1")),
    past(prompt(4, "answered")),
    past(answer(5, "i-2")),
    prompt(6, "answered", "t1"),
    answer(8, "t1"),
  ];
  const keys = itemsOf(view(messages), []).map((item) => item.key);
  assert.deepEqual(keys, ["p:c2", "m:a3", "p:c4", "m:a5", "p:c6", "m:a8"]);
});
