import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { emptySnapshot, fold } from "../../sessions/static/sessions/log/fold.js";

const SID = "11111111-1111-4111-8111-111111111111";
const TS = "2026-11-23T08:00:00.123Z";

/** Events without the envelope's tedium: seq by place. */
const events = (...list) =>
  list.map((event, i) => ({ v: 1, sessionId: SID, seq: i + 1, ts: TS, ...event }));
const run = (list, state = emptySnapshot(SID)) => list.reduce(fold, state);

const OPENING = [
  { type: "session_created", title: "New", agent: "demo", mode: "ask", cwd: "/" },
  { type: "user_message", messageId: "m1", clientMsgId: "c1", text: "hello" },
  { type: "turn_start", turnId: "t1", clientMsgId: "c1" },
  { type: "message_start", messageId: "m2", turnId: "t1", role: "assistant" },
  { type: "block_start", messageId: "m2", blockId: "b1", blockType: "text" },
  { type: "block_delta", messageId: "m2", blockId: "b1", delta: "Hel" },
  { type: "block_delta", messageId: "m2", blockId: "b1", delta: "lo" },
];
const CLOSING = [
  { type: "block_end", messageId: "m2", blockId: "b1", content: "Hello.", html: "<p>Hello.</p>" },
  { type: "message_end", messageId: "m2" },
  { type: "usage", turnId: "t1", inputTokens: 3, outputTokens: 2 },
  { type: "turn_end", turnId: "t1", stopReason: "end_turn" },
];

function freeze(value) {
  if (value && typeof value === "object" && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(freeze);
  }
  return value;
}

describe("a turn", () => {
  test("is in flight while its deltas come", () => {
    const state = run(events(...OPENING));
    assert.equal(state.runState, "running");
    assert.deepEqual(state.turn, { turnId: "t1", clientMsgId: "c1" });
    assert.equal(state.current.blocks[0].content, "Hello");
    assert.equal(state.messages[0].promptState, "dispatched");
    assert.equal(state.cursor, 7);
  });

  test("ends in a finished message with the rendered text, its prompt answered and its usage counted", () => {
    const state = run(events(...OPENING, ...CLOSING));
    assert.equal(state.runState, "idle");
    assert.equal(state.current, null);
    assert.deepEqual(
      state.messages.map((message) => message.messageId),
      ["m1", "m2"],
    );
    assert.equal(state.messages[1].blocks[0].html, "<p>Hello.</p>");
    assert.equal(state.messages[0].promptState, "answered");
    assert.equal(state.messages[0].usage.outputTokens, 2);
    assert.equal(state.usage.inputTokens, 3);
  });

  for (const [stopReason, promptState] of Object.entries({
    max_tokens: "answered",
    refusal: "answered",
    interrupted: "interrupted",
    error: "failed",
    agent_crashed: "failed",
    server_restart: "interrupted",
  })) {
    test(`that ends by ${stopReason} leaves its prompt ${promptState}`, () => {
      const state = run(
        events(...OPENING, { type: "turn_end", turnId: "t1", stopReason, error: "why" }),
      );
      assert.deepEqual(
        [state.messages[0].promptState, state.messages[0].error],
        [promptState, "why"],
      );
    });
  }
});

test("nothing that was handed out is ever changed", () => {
  let state = freeze(emptySnapshot(SID));
  for (const event of events(...OPENING, ...CLOSING)) state = freeze(fold(state, freeze(event)));
  assert.equal(state.cursor, 11);
});

test("an event keeps every part that it does not touch, so that a view can tell by reference", () => {
  const before = run(events(...OPENING));
  const after = fold(before, {
    type: "block_delta",
    sessionId: SID,
    seq: 8,
    messageId: "m2",
    blockId: "b1",
    delta: "!",
  });
  assert.equal(after.messages, before.messages);
  assert.notEqual(after.current, before.current);
});

test("an unknown type moves the cursor alone", () => {
  const before = run(events(...OPENING));
  const after = fold(before, { type: "from_the_future", sessionId: SID, seq: 8 });
  assert.deepEqual(after, { ...before, cursor: 8 });
  assert.deepEqual(fold(before, { type: "constructor", sessionId: SID, seq: 8 }), {
    ...before,
    cursor: 8,
  });
});

test("a prompt sent while a turn runs waits for its own turn", () => {
  const state = run(
    events(
      ...OPENING,
      { type: "user_message", messageId: "m3", clientMsgId: "c2", text: "next" },
      { type: "message_end", messageId: "m2" },
    ),
  );
  assert.deepEqual(
    state.messages.map((message) => message.messageId),
    ["m1", "m2", "m3"],
  );
  assert.equal(state.messages[2].promptState, "accepted");
});

test("a permission asks for action until the last open one is resolved", () => {
  const ask = (permId) => ({
    type: "permission_request",
    permId,
    toolName: "run",
    title: "Run",
    input: {},
    options: [],
    expiresAt: TS,
  });
  const answer = (permId) => ({
    type: "permission_resolved",
    permId,
    decision: "allow",
    by: "user",
    reason: "answered",
  });
  const states = [...["p1", "p2"].map(ask), ...["p1", "p2"].map(answer)];
  let state = run(events(...OPENING));
  const seen = states.map((event, i) => {
    state = fold(state, { ...event, sessionId: SID, seq: 8 + i });
    return [state.runState, state.permissions.length];
  });
  assert.deepEqual(seen, [
    ["requires_action", 1],
    ["requires_action", 2],
    ["requires_action", 1],
    ["running", 0],
  ]);
});

test("an error and a failed interrupt become notices that a person can read", () => {
  const state = run(
    events(
      { type: "error", code: "agent_failed", error: "It broke." },
      { type: "interrupt_failed", code: "timed_out", error: "No answer.", escalation: "sigint" },
    ),
  );
  assert.deepEqual(
    state.messages.map(({ messageId, role, text }) => [messageId, role, text]),
    [
      ["n1", "notice", "It broke."],
      ["n2", "notice", "No answer."],
    ],
  );
});

const GOLDEN = new URL("../golden/turns.json", import.meta.url);

describe("recorded turns", () => {
  for (const { name, events: recorded, snapshot } of JSON.parse(readFileSync(GOLDEN, "utf8"))
    .turns) {
    test(`${name}: the same snapshot as the server's fold`, () => {
      assert.deepEqual(run(recorded, emptySnapshot(recorded[0].sessionId)), snapshot);
    });
  }
});
