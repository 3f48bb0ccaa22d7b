import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { itemsOf } from "../../sessions/static/sessions/log/items.js";
import { stoppable, Store } from "../../sessions/static/sessions/log/store.js";

const SID = "11111111-1111-4111-8111-111111111111";
const TS = "2026-11-23T08:00:00.123Z";
const event = (seq, type, fields = {}) => ({ v: 1, sessionId: SID, seq, ts: TS, type, ...fields });
const prompt = (seq, n, more = {}) => ({
  messageId: `u${n}`,
  role: "user",
  seq,
  ts: TS,
  turnId: null,
  text: `p${n}`,
  clientMsgId: `c${n}`,
  promptState: "accepted",
  stopReason: null,
  error: null,
  usage: null,
  ...more,
});
const answer = (seq, n, turnId = `t${n}`) => ({
  messageId: `a${n}`,
  role: "assistant",
  seq,
  ts: TS,
  turnId,
  blocks: [],
});
const snapshot = (cursor, more = {}) => ({
  v: 1,
  type: "session_snapshot",
  sessionId: SID,
  cursor,
  state: "ACTIVE",
  runState: "idle",
  title: "T",
  agent: "demo",
  mode: "ask",
  modes: [],
  messages: [],
  current: null,
  permissions: [],
  turn: null,
  usage: null,
  oldestSeq: more.messages?.[0]?.seq ?? null,
  hasMore: false,
  full: true,
  cursorInvalid: false,
  ...more,
});
const ids = (store) => store.get(SID).snapshot.messages.map((message) => message.messageId);
const keys = (view, pending = []) => itemsOf(view, pending).map((item) => item.key);

function held(...frames) {
  const store = new Store();
  frames.forEach((frame) => store.apply(frame));
  return store;
}

describe("the store", () => {
  test("has no cursor before its first frame, then the snapshot's", () => {
    const store = new Store();
    assert.equal(store.cursor(SID), null);
    store.apply(snapshot(7));
    assert.equal(store.cursor(SID), 7);
    store.apply(event(8, "title_changed", { title: "New" }));
    assert.equal(store.cursor(SID), 8);
    assert.equal(store.get(SID).snapshot.title, "New");
  });

  test("a full snapshot keeps the older pages that a person has loaded", () => {
    const store = held(snapshot(50, { messages: [answer(40, 4)], hasMore: true }));
    store.prepend(SID, { messages: [answer(10, 1), answer(20, 2)], hasMore: false });
    store.apply(snapshot(60, { messages: [answer(40, 4), answer(55, 5)], hasMore: true }));
    assert.deepEqual(ids(store), ["a1", "a2", "a4", "a5"]);
    assert.equal(store.get(SID).snapshot.hasMore, false);
    assert.equal(store.get(SID).snapshot.oldestSeq, 10);
  });

  test("an invalid cursor drops everything that was held", () => {
    const store = held(
      snapshot(50, { messages: [answer(40, 4)] }),
      snapshot(3, { messages: [answer(2, 9)], cursorInvalid: true }),
    );
    assert.deepEqual(ids(store), ["a9"]);
  });

  test("a snapshot without messages tells state alone", () => {
    const store = held(
      snapshot(50, { messages: [answer(40, 4)] }),
      snapshot(50, { full: false, runState: "running", state: "DETACHED" }),
    );
    assert.deepEqual(ids(store), ["a4"]);
    assert.deepEqual(
      [store.get(SID).snapshot.runState, store.get(SID).snapshot.state],
      ["running", "DETACHED"],
    );
  });

  test("what a stop would end: the turn that runs, else the prompt that runs next", () => {
    const store = held(snapshot(4, { messages: [prompt(2, 1, { promptState: "answered" })] }));
    const now = () => stoppable(store.get(SID).snapshot);
    assert.equal(now(), null);
    store.apply(event(5, "user_message", { messageId: "u2", clientMsgId: "c2", text: "p2" }));
    store.apply(event(6, "user_message", { messageId: "u3", clientMsgId: "c3", text: "p3" }));
    assert.deepEqual(now(), { clientMsgId: "c2", turnId: null });
    store.apply(event(7, "queue_reordered", { clientMsgIds: ["c3", "c2"] }));
    assert.deepEqual(now(), { clientMsgId: "c3", turnId: null });
    store.apply(event(8, "turn_start", { turnId: "t3", clientMsgId: "c3" }));
    assert.deepEqual(now(), { clientMsgId: "c3", turnId: "t3" });
    store.apply(event(9, "turn_end", { turnId: "t3", stopReason: "end_turn" }));
    assert.deepEqual(now(), { clientMsgId: "c2", turnId: null });
    store.apply(event(10, "prompt_withdrawn", { clientMsgId: "c2" }));
    assert.equal(now(), null);
  });

  test("a page that overlaps brings no message twice", () => {
    const store = held(snapshot(50, { messages: [answer(40, 4)], hasMore: true }));
    store.prepend(SID, { messages: [answer(30, 3), answer(40, 4)], hasMore: true });
    assert.deepEqual(ids(store), ["a3", "a4"]);
  });

  test("a rejected watch is kept until a frame shows that the session is there", () => {
    const store = held({ type: "watch_rejected", sessionId: SID, code: "unknown_session" });
    assert.equal(store.get(SID).rejected, "unknown_session");
    store.apply(snapshot(1));
    assert.equal(store.get(SID).rejected, null);
  });
});

describe("a skip", () => {
  const skip = {
    type: "replay_skipped",
    sessionId: SID,
    from: 11,
    to: 16,
    reason: "max_replay_gap",
  };
  const missed = [
    event(11, "turn_start", { turnId: "t1", clientMsgId: "c1" }),
    event(12, "message_start", { messageId: "a1", turnId: "t1", role: "assistant" }),
    event(13, "message_end", { messageId: "a1" }),
    event(14, "turn_end", { turnId: "t1", stopReason: "end_turn" }),
    event(15, "user_message", { messageId: "u2", clientMsgId: "c2", text: "p2" }),
    event(16, "turn_start", { turnId: "t2", clientMsgId: "c2" }),
  ];
  const after = () =>
    held(
      snapshot(10, { messages: [prompt(9, 1)] }),
      skip,
      snapshot(20, { messages: [answer(18, 2)], hasMore: true }),
    );

  test("is kept between what was held and what came", () => {
    const store = after();
    assert.deepEqual(keys(store.get(SID)), ["p:c1", "s:11-16", "m:a2"]);
    assert.equal(store.get(SID).snapshot.messages[0].promptState, "unseen");
  });

  test("filled page by page, its messages join the transcript and what they changed is right", () => {
    const store = after();
    store.fill(SID, "11-16", missed.slice(0, 3));
    assert.equal(store.get(SID).skips[0].state, "loading");
    store.fill(SID, "11-16", missed.slice(3));
    const { snapshot: now, skips } = store.get(SID);
    assert.deepEqual(ids(store), ["u1", "a1", "u2", "a2"]);
    assert.equal(skips[0].state, "loaded");
    assert.equal(skips[0].counts.turn_start, 2);
    assert.equal(now.cursor, 20);
    assert.deepEqual(
      now.messages.map(({ promptState }) => promptState),
      ["answered", undefined, "dispatched", undefined],
    );
    assert.equal(now.messages[0].turnId, "t1");
  });

  test("whose prompts went on where nobody held them: the server's messages say how", () => {
    const store = after();
    store.fill(SID, "11-16", missed);
    const answered = prompt(15, 2, { turnId: "t2", promptState: "answered" });
    const stale = prompt(9, 1, { promptState: "accepted" });
    store.learn(SID, [stale, answered]);
    const states = store
      .get(SID)
      .snapshot.messages.filter(({ role }) => role === "user")
      .map(({ promptState, turnId }) => [promptState, turnId]);
    assert.deepEqual(states, [
      ["answered", "t1"],
      ["answered", "t2"],
    ]);
  });

  test("is the same whether its messages or its events come first", () => {
    const messages = [
      prompt(9, 1, { turnId: "t1", promptState: "answered", stopReason: "end_turn" }),
      prompt(15, 2, { turnId: "t2", promptState: "answered", stopReason: "end_turn" }),
    ];
    const [eventsFirst, messagesFirst] = [after(), after()];
    eventsFirst.fill(SID, "11-16", missed);
    eventsFirst.learn(SID, messages);
    messagesFirst.learn(SID, messages);
    messagesFirst.fill(SID, "11-16", missed);
    assert.deepEqual(messagesFirst.get(SID).snapshot, eventsFirst.get(SID).snapshot);
    assert.deepEqual(keys(messagesFirst.get(SID)), keys(eventsFirst.get(SID)));
  });

  test("whose events are pruned ends when there are no more", () => {
    const store = after();
    store.fill(SID, "11-16", []);
    assert.equal(store.get(SID).skips[0].state, "loaded");
  });
});

describe("what is shown", () => {
  test("a prompt queued while an answer ran stands behind that answer", () => {
    const store = held(
      snapshot(30, {
        messages: [
          prompt(2, 1, { turnId: "t1" }),
          answer(4, 1),
          prompt(6, 2),
          answer(8, 1.5, "t1"),
        ],
        turn: { turnId: "t1" },
        runState: "running",
        current: { ...answer(20, 3, "t1"), blocks: [{ blockId: "b", done: false }] },
      }),
    );
    assert.deepEqual(keys(store.get(SID)), ["p:c1", "m:a1", "m:a1.5", "m:a3", "p:c2"]);
  });

  test("an answer whose prompt is on an older page stands before the prompts that wait", () => {
    const messages = [
      prompt(5, 3, { turnId: "t3" }),
      prompt(6, 4),
      answer(7, 1),
      answer(8, 2),
      answer(9, 3),
    ];
    assert.deepEqual(keys(held(snapshot(30, { messages, hasMore: true })).get(SID)), [
      "m:a1",
      "m:a2",
      "p:c3",
      "m:a3",
      "p:c4",
    ]);
    const skipped = held(
      snapshot(4, { messages: [prompt(2, 1, { turnId: "t1" }), answer(3, 1)] }),
      event(0, "replay_skipped", { seq: undefined, from: 5, to: 20, reason: "max_replay_gap" }),
      snapshot(30, { messages: [prompt(21, 9), answer(22, 8)] }),
    );
    assert.deepEqual(keys(skipped.get(SID)), ["p:c1", "m:a1", "s:5-20", "m:a8", "p:c9"]);
  });

  test("a prompt whose place the receipt told, and a skip has passed over, stands there", () => {
    const store = held(
      snapshot(4, { messages: [prompt(2, 1, { turnId: "t1" }), answer(3, 1)] }),
      event(0, "replay_skipped", { seq: undefined, from: 5, to: 20, reason: "max_replay_gap" }),
      snapshot(30, { messages: [prompt(21, 9)] }),
    );
    const entries = [
      { clientMsgId: "c5", seq: 12 },
      { clientMsgId: "c6", seq: 31 },
      { clientMsgId: "c7", seq: null },
    ];
    assert.deepEqual(keys(store.get(SID), entries), [
      "p:c1",
      "m:a1",
      "s:5-20",
      "p:c5",
      "p:c9",
      "p:c6",
      "p:c7",
    ]);
  });

  test("working is said where the answer will come, and only while nothing of it is seen", () => {
    const running = {
      messages: [prompt(2, 1, { turnId: "t1" }), prompt(6, 2)],
      turn: { turnId: "t1" },
      runState: "running",
    };
    const store = held(snapshot(30, running));
    assert.deepEqual(keys(store.get(SID)), ["p:c1", "working", "p:c2"]);
    store.apply(
      snapshot(31, {
        ...running,
        current: { ...answer(7, 1), blocks: [{ blockId: "b", done: false }] },
      }),
    );
    assert.deepEqual(keys(store.get(SID)), ["p:c1", "m:a1", "p:c2"]);
  });

  test("an unusual end is said behind its turn", () => {
    const store = held(
      snapshot(30, {
        messages: [
          prompt(2, 1, { turnId: "t1", stopReason: "agent_crashed", promptState: "failed" }),
          answer(4, 1),
          prompt(6, 2),
        ],
      }),
    );
    assert.deepEqual(keys(store.get(SID)), ["p:c1", "m:a1", "e:u1", "p:c2"]);
  });

  test("a notice stands in the turn that it was said in", () => {
    const notice = {
      messageId: "n5",
      role: "notice",
      seq: 5,
      ts: TS,
      turnId: null,
      code: "x",
      text: "why",
    };
    const store = held(
      snapshot(30, {
        messages: [prompt(2, 1, { turnId: "t1" }), answer(4, 1), notice, prompt(6, 2)],
      }),
    );
    assert.deepEqual(keys(store.get(SID)), ["p:c1", "m:a1", "m:n5", "p:c2"]);
  });

  test("a prompt keeps its key on the way from the outbox into the log, and is there once", () => {
    const entry = { clientMsgId: "c1", state: "sending", text: "p1" };
    const store = held(snapshot(1));
    assert.deepEqual(keys(store.get(SID), [entry]), ["p:c1"]);
    store.apply(event(2, "user_message", { messageId: "u1", clientMsgId: "c1", text: "p1" }));
    assert.deepEqual(keys(store.get(SID), [entry]), ["p:c1"]);
  });

  test("an item is the same source until something of it changes", () => {
    const store = held(snapshot(10, { messages: [prompt(9, 1), answer(10, 1)] }));
    const before = itemsOf(store.get(SID), []);
    store.apply(event(11, "title_changed", { title: "New" }));
    const now = itemsOf(store.get(SID), []);
    before.forEach((item, at) => assert.equal(now[at].source, item.source));
  });
});

describe("the HTML of an open block", () => {
  const open = () =>
    held(
      snapshot(5, { current: answer(4, 1) }),
      event(6, "block_start", { messageId: "a1", blockId: "b", blockType: "text" }),
      event(7, "block_delta", { messageId: "a1", blockId: "b", delta: "one\n\ntwo\n\nthree" }),
    );
  const rendered = (from, to, html, more = {}) => ({
    ...{ v: 1, type: "rendered", sessionId: SID, messageId: "a1", blockId: "b", from, to, html },
    ...more,
  });
  const block = (store) => store.get(SID).snapshot.current.blocks[0];

  test("continues the part that is held", () => {
    const store = open();
    store.apply(rendered(0, 5, "<p>one</p>"));
    store.apply(rendered(5, 10, "<p>two</p>"));
    assert.deepEqual(block(store).rendered, { to: 10, html: "<p>one</p><p>two</p>" });
  });

  test("begins again at 0, and a part behind a hole is left out", () => {
    const store = open();
    store.apply(rendered(5, 10, "<p>two</p>"));
    assert.equal(block(store).rendered, undefined);
    store.apply(rendered(0, 10, "<p>one</p><p>two</p>"));
    store.apply(rendered(12, 14, "<p>four</p>"));
    store.apply(rendered(0, 5, "<p>one</p>"));
    assert.deepEqual(block(store).rendered, { to: 5, html: "<p>one</p>" });
  });

  test("is kept while the text grows, and belongs to its message and block alone", () => {
    const store = open();
    store.apply(rendered(0, 5, "<p>one</p>"));
    store.apply(rendered(5, 10, "<p>x</p>", { blockId: "other" }));
    store.apply(rendered(5, 10, "<p>x</p>", { messageId: "other" }));
    store.apply(event(8, "block_delta", { messageId: "a1", blockId: "b", delta: " more" }));
    assert.deepEqual(block(store).rendered, { to: 5, html: "<p>one</p>" });
    assert.equal(store.cursor(SID), 8);
  });
});
