/** The queue of prompts: its cap, its copy in the storage, its drafts. */

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";

import { answers, deferred, FakeStorage, hanging, json, settle } from "./support.js";
import {
  SID,
  NEW_SID,
  sent,
  texts,
  receipt,
  answer,
  networkError,
  build,
  stateOf,
  queue,
} from "./outbox-support.js";

describe("the cap", () => {
  test("the 101st prompt evicts the oldest that waits, visibly", async () => {
    const { outbox } = build({ fetch: answers(networkError) });
    const ids = queue(outbox, ...Array.from({ length: 101 }, (_, i) => `p${i}`));
    await settle();
    const evicted = outbox.prompts.filter((entry) => entry.state === "evicted");
    assert.deepEqual(
      evicted.map((entry) => entry.code),
      ["outbox_full"],
    );
    assert.equal(outbox.pending.length, 100);
    assert.equal(outbox.prompts.length, ids.length);
  });

  test("the one under way is not evicted: nobody could say that it was not sent", async () => {
    const { outbox } = build({ fetch: mock.fn(hanging), maxPending: 3 });
    queue(outbox, "one", "two", "three", "four");
    await settle();
    assert.equal(stateOf(outbox, "one"), "sending");
    assert.equal(stateOf(outbox, "two"), "evicted");
  });

  test("it holds when a prompt comes back into a queue that has filled up meanwhile", async () => {
    const slow = deferred();
    const { outbox } = build({ fetch: answers(() => slow.promise, networkError), maxPending: 3 });
    queue(outbox, "one");
    await settle();
    queue(outbox, "two", "three", "four");
    slow.reject(new TypeError("fetch failed"));
    await settle();
    assert.equal(outbox.pending.length, 3);
    queue(outbox, "five");
    assert.equal(outbox.pending.length, 3);
    assert.equal(stateOf(outbox, "one"), "evicted");
  });

  test("it holds for a retry by hand, which keeps its old place", async () => {
    const { outbox } = build({ fetch: mock.fn(networkError), maxPending: 3 });
    const [, two] = queue(outbox, "one", "two", "three", "four");
    await settle();
    assert.equal(stateOf(outbox, "two"), "evicted");
    outbox.retry(two);
    assert.equal(outbox.pending.length, 3);
    assert.deepEqual(
      outbox.prompts.map((entry) => entry.text),
      ["one", "two", "three", "four"],
    );
  });

  test("an evicted prompt that is retried goes before younger ones", async () => {
    const slow = deferred();
    const fetch = answers(() => slow.promise, receipt);
    const { outbox } = build({ fetch, maxPending: 2 });
    const [, two, three] = queue(outbox, "one", "two", "three");
    await settle();
    assert.equal(stateOf(outbox, "two"), "evicted");
    outbox.discard(three);
    queue(outbox, "four");
    outbox.retry(two); // full again: the oldest that waits is the retried one itself, and stays shown
    assert.equal(stateOf(outbox, "two"), "evicted");
    slow.resolve(
      json(202, { ok: true, accepted: true, clientMsgId: "id1", sessionId: SID, seq: 2 }),
    );
    await settle();
    outbox.retry(two);
    await settle();
    assert.deepEqual(texts(fetch), ["one", "four", "two"]);
  });

  test("it holds for what a reload brings back", async () => {
    const storage = new FakeStorage();
    const before = build({ fetch: mock.fn(hanging), storage });
    queue(before.outbox, "one", "two", "three");
    const after = build({ fetch: mock.fn(hanging), storage, maxPending: 2 });
    assert.equal(after.outbox.pending.length, 2);
    assert.equal(stateOf(after.outbox, "one"), "evicted");
  });
});

describe("a reload", () => {
  test("goes on with the same ids in the same order, the one that was under way first", async () => {
    const storage = new FakeStorage();
    const before = build({ fetch: mock.fn(hanging), storage });
    const ids = queue(before.outbox, "one", "two");
    await settle();
    const fetch = answers(receipt);
    const after = build({ fetch, storage });
    after.outbox.start();
    await settle();
    assert.deepEqual(
      fetch.mock.calls.map((call) => sent(call).clientMsgId),
      ids,
    );
  });

  test("keeps refusals and evictions on show", async () => {
    const storage = new FakeStorage();
    const before = build({ fetch: answers(answer(400)), storage });
    queue(before.outbox, "bad");
    await settle();
    const after = build({ fetch: mock.fn(hanging), storage });
    assert.equal(stateOf(after.outbox, "bad"), "failed");
  });

  test("does not send what was accepted", async () => {
    const storage = new FakeStorage();
    const before = build({ fetch: answers(receipt), storage });
    queue(before.outbox, "one");
    await settle();
    const after = build({ fetch: mock.fn(hanging), storage });
    assert.deepEqual(after.outbox.prompts, []);
  });

  test("a prompt that was discarded while the storage was full is not there after a reload", async () => {
    const storage = new FakeStorage();
    const page = build({ fetch: mock.fn(networkError), storage });
    const [one] = queue(page.outbox, "discarded", "kept");
    await settle();
    storage.full = true;
    queue(page.outbox, "too much");
    page.outbox.discard(one);
    storage.full = false;
    const next = build({ fetch: answers(receipt), storage });
    assert.equal(stateOf(next.outbox, "discarded"), undefined);
  });

  test("prompts that were stored stay so when one more does not fit", async () => {
    const storage = new FakeStorage();
    const page = build({ fetch: mock.fn(networkError), storage });
    const [, two] = queue(page.outbox, "one", "two");
    await settle();
    storage.limit = storage.getItem("backstay.outbox.1").length + 50;
    queue(page.outbox, "a long one ".repeat(100));
    assert.equal(page.outbox.isKept, false);
    page.outbox.discard(two);
    const next = build({ fetch: answers(receipt), storage });
    assert.deepEqual(
      next.outbox.prompts.map(({ text }) => text),
      ["one"],
    );
  });

  test("a full storage does not stop the sending, and is told", async () => {
    const storage = new FakeStorage();
    storage.full = true;
    const fetch = answers(receipt);
    const { outbox } = build({ fetch, storage });
    queue(outbox, "one");
    assert.equal(outbox.isKept, false);
    await settle();
    assert.equal(stateOf(outbox, "one"), "accepted");
  });

  test("an unreadable store is an empty one", () => {
    const storage = new FakeStorage();
    storage.setItem("backstay.outbox.1", "{not json");
    assert.deepEqual(build({ fetch: mock.fn(hanging), storage }).outbox.prompts, []);
  });
});

describe("drafts", () => {
  test("follow-ups adopt the session that the first prompt made", async () => {
    const fetch = answers(receipt);
    const { outbox } = build({ fetch });
    ["one", "two"].forEach((text) =>
      outbox.send({ draftId: "d1", text, agent: "demo", mode: "ask", cwd: "/srv" }),
    );
    await settle();
    const bodies = fetch.mock.calls.map(sent);
    assert.deepEqual(bodies[0], {
      clientMsgId: "id1",
      sessionId: null,
      text: "one",
      agent: "demo",
      mode: "ask",
      cwd: "/srv",
    });
    assert.deepEqual(bodies[1], { clientMsgId: "id2", sessionId: NEW_SID, text: "two" });
    outbox.send({ draftId: "d1", text: "three" });
    await settle();
    assert.equal(sent(fetch.mock.calls[2]).sessionId, NEW_SID);
  });

  test("also after a reload in between", async () => {
    const storage = new FakeStorage();
    const before = build({ fetch: mock.fn(hanging), storage });
    ["one", "two"].forEach((text) => before.outbox.send({ draftId: "d1", text, agent: "demo" }));
    const fetch = answers(receipt);
    const after = build({ fetch, storage });
    after.outbox.start();
    await settle();
    assert.deepEqual(
      fetch.mock.calls.map((call) => sent(call).sessionId),
      [null, NEW_SID],
    );
  });

  test("a refused first prompt leaves the making of the session to the next", async () => {
    const fetch = answers(answer(413), receipt);
    const { outbox } = build({ fetch });
    ["huge", "two"].forEach((text) => outbox.send({ draftId: "d1", text, agent: "demo" }));
    await settle();
    assert.deepEqual(
      fetch.mock.calls.map((call) => [sent(call).text, sent(call).sessionId]),
      [
        ["huge", null],
        ["two", null],
      ],
    );
    outbox.retry("id1");
    await settle();
    assert.equal(sent(fetch.mock.calls[2]).sessionId, NEW_SID);
  });

  test("a prompt that may be in the log already keeps its body, whatever its draft became", async () => {
    const slow = deferred();
    const fetch = answers(networkError, () => slow.promise, receipt);
    const { outbox, clock } = build({ fetch, maxPending: 2 });
    outbox.send({ draftId: "d1", text: "one", agent: "demo" });
    await settle();
    outbox.send({ draftId: "d1", text: "two", agent: "demo" });
    outbox.send({ draftId: "d1", text: "three", agent: "demo" });
    assert.equal(stateOf(outbox, "one"), "evicted");
    await clock.advance(500);
    slow.resolve(
      json(202, { ok: true, accepted: true, clientMsgId: "id2", sessionId: NEW_SID, seq: 2 }),
    );
    await settle();
    outbox.retry("id1");
    await settle();
    const last = sent(fetch.mock.calls.at(-1));
    assert.deepEqual([last.text, last.sessionId], ["one", null]);
  });
});

describe("a prompt that is sent now", () => {
  test("names the turn that it stops with its receipt, also after a reload, and not to the server", async () => {
    const storage = new FakeStorage();
    const before = build({ fetch: answers(networkError), storage });
    before.outbox.send({ sessionId: SID, text: "now", stops: "turn 1" });
    before.outbox.send({ sessionId: SID, text: "later" });
    await settle();
    const fetch = answers(receipt);
    const { outbox, options } = build({ fetch, storage });
    await outbox.start();
    await settle();
    const prompts = options.onReceipt.mock.calls.map((call) => call.arguments[1]);
    assert.deepEqual(
      prompts.map(({ text, stops }) => [text, stops]),
      [
        ["now", "turn 1"],
        ["later", null],
      ],
    );
    assert.ok(fetch.mock.calls.map(sent).every((body) => !("stops" in body)));
  });
});
