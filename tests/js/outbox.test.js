/** The outbox: order, repetition, refusals, log-in. */

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";

import { answers, deferred, FakeClock, FakeStorage, hanging, json, settle } from "./support.js";
import {
  SID,
  sent,
  texts,
  receipt,
  answer,
  networkError,
  build,
  stateOf,
  queue,
} from "./outbox-support.js";

const unknownConnection = answer(404, { ok: false, code: "unknown_connection", error: "gone" });

describe("order", () => {
  test("one POST is in flight, the next goes when the receipt is there", async () => {
    const first = deferred();
    const fetch = answers(() => first.promise, receipt);
    const { outbox } = build({ fetch });
    queue(outbox, "one", "two", "three");
    await settle();
    assert.deepEqual(texts(fetch), ["one"]);
    first.resolve(
      json(202, {
        ok: true,
        accepted: true,
        clientMsgId: "id1",
        sessionId: SID,
        seq: 2,
        duplicate: false,
      }),
    );
    await settle();
    assert.deepEqual(texts(fetch), ["one", "two", "three"]);
  });

  test("a POST carries the stream's id and the page's CSRF token, and none without a stream", async () => {
    const fetch = answers(receipt);
    const { outbox, state } = build({ fetch });
    queue(outbox, "one");
    await settle();
    state.connection = null;
    queue(outbox, "two");
    await settle();
    const headers = fetch.mock.calls.map((call) => call.arguments[1].headers);
    assert.equal(headers[0]["X-Connection-ID"], "c1");
    assert.equal(headers[0]["X-CSRFToken"], "csrf-1");
    assert.equal("X-Connection-ID" in headers[1], false);
  });

  test("a repeated prompt stays before younger ones", async () => {
    const fetch = answers(networkError, receipt);
    const { outbox, clock } = build({ fetch });
    queue(outbox, "one", "two");
    await settle();
    queue(outbox, "three");
    await clock.advance(500);
    assert.deepEqual(texts(fetch), ["one", "one", "two", "three"]);
  });
});

describe("repeated with the same body and id", () => {
  const cases = {
    "network error": networkError,
    408: answer(408),
    425: answer(425),
    "429 without Retry-After": answer(429),
    500: answer(500),
    "502 with a proxy's page": () =>
      Promise.resolve(new Response("<html>bad gateway", { status: 502 })),
    503: answer(503),
    "a 200 that is a login page": () =>
      Promise.resolve(new Response("<html>log in", { status: 200 })),
    "a 202 for another prompt": answer(202, {
      ok: true,
      accepted: true,
      clientMsgId: "other",
      sessionId: SID,
      seq: 1,
    }),
    "a 202 without a seq": answer(202, {
      ok: true,
      accepted: true,
      clientMsgId: "id1",
      sessionId: SID,
    }),
    "a 204": () => Promise.resolve(new Response(null, { status: 204 })),
  };
  for (const [name, step] of Object.entries(cases)) {
    test(name, async () => {
      const fetch = answers(step, receipt);
      const { outbox, clock } = build({ fetch });
      queue(outbox, "one");
      await settle();
      assert.equal(stateOf(outbox, "one"), "queued");
      await clock.advance(500);
      assert.equal(fetch.mock.callCount(), 2);
      assert.deepEqual(sent(fetch.mock.calls[1]), sent(fetch.mock.calls[0]));
      assert.equal(stateOf(outbox, "one"), "accepted");
    });
  }

  test("a POST without an answer in 15 s is given up and repeated", async () => {
    const fetch = answers(hanging, receipt);
    const { outbox, clock } = build({ fetch });
    queue(outbox, "one");
    await clock.advance(14_999);
    assert.equal(fetch.mock.callCount(), 1);
    await clock.advance(1 + 500);
    assert.deepEqual(texts(fetch), ["one", "one"]);
  });

  test("only a POST without an answer in time leaves a doubt", async () => {
    const fetch = answers(hanging, networkError, answer(504), receipt);
    const { outbox, clock } = build({ fetch });
    queue(outbox, "one");
    const doubts = [];
    for (const ms of [15_000, 500, 1_000]) {
      await clock.advance(ms);
      doubts.push(outbox.prompts[0].unanswered);
    }
    assert.deepEqual(doubts, [true, false, true]);
  });

  test("an answer whose body never ends counts as no answer", async () => {
    const endless = (_url, { signal }) =>
      Promise.resolve(
        new Response(
          new ReadableStream({
            start: (controller) =>
              signal.addEventListener("abort", () => controller.error(signal.reason)),
          }),
          { status: 202 },
        ),
      );
    const fetch = answers(endless, receipt);
    const { outbox, clock } = build({ fetch });
    queue(outbox, "one");
    await clock.advance(15_500);
    assert.deepEqual(texts(fetch), ["one", "one"]);
  });

  test("after 0.5 s doubling to 30 s", async () => {
    const fetch = mock.fn(networkError);
    const { outbox, clock } = build({ fetch });
    queue(outbox, "one");
    const waits = [];
    for (let i = 0; i < 8; i += 1) {
      await settle();
      waits.push(clock.nextIn);
      await clock.advance(clock.nextIn);
    }
    assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  test("not before Retry-After, even when the network comes back", async () => {
    const fetch = answers(
      answer(429, { ok: false, code: "rate_limited", error: "slow down" }, { "Retry-After": "7" }),
      receipt,
    );
    const { outbox, clock } = build({ fetch });
    queue(outbox, "one");
    await clock.advance(6_999);
    outbox.resume();
    await settle();
    assert.equal(fetch.mock.callCount(), 1);
    await clock.advance(1);
    assert.equal(stateOf(outbox, "one"), "accepted");
  });

  test("Retry-After may stand in the body or be a date", async () => {
    const clock = new FakeClock();
    const date = new Date(clock.now() + 3_000).toUTCString();
    const fetch = answers(
      answer(429, { ok: false, retryAfter: 4 }),
      answer(503, {}, { "Retry-After": date }),
      receipt,
    );
    const { outbox } = build({ fetch, clock });
    queue(outbox, "one");
    await settle();
    assert.equal(clock.nextIn, 4_000);
    await clock.advance(4_000);
    assert.equal(clock.nextIn, 1_000); // the date is 3 s after the start, backoff says 1 s
  });

  test("at once when the network comes back", async () => {
    const fetch = answers(networkError, networkError, networkError, networkError, receipt);
    const { outbox, clock } = build({ fetch });
    queue(outbox, "one");
    await clock.advance(500 + 1_000 + 2_000);
    assert.equal(clock.nextIn, 4_000);
    outbox.resume();
    await settle();
    assert.equal(stateOf(outbox, "one"), "accepted");
  });
});

describe("unknown connection", () => {
  test("the stream is asked to reconnect, then the same prompt goes with the new id", async () => {
    const fetch = answers(unknownConnection, receipt);
    const { outbox, state, options } = build({ fetch });
    queue(outbox, "one", "two");
    await settle();
    assert.deepEqual(
      options.onUnknownConnection.mock.calls.map((call) => call.arguments),
      [["c1"]],
    );
    outbox.resume();
    outbox.connectionChanged("c1");
    await settle();
    assert.equal(fetch.mock.callCount(), 1);
    state.connection = "c2";
    outbox.connectionChanged("c2");
    await settle();
    assert.deepEqual(texts(fetch), ["one", "one", "two"]);
    assert.equal(fetch.mock.calls[1].arguments[1].headers["X-Connection-ID"], "c2");
    assert.equal(sent(fetch.mock.calls[1]).clientMsgId, "id1");
  });

  test("a stream replaced while the POST was on its way is used at once", async () => {
    const slow = deferred();
    const fetch = answers(() => slow.promise, receipt);
    const { outbox, state } = build({ fetch });
    queue(outbox, "one");
    await settle();
    state.connection = "c2";
    slow.resolve(json(404, { ok: false, code: "unknown_connection", error: "gone" }));
    await settle();
    assert.equal(stateOf(outbox, "one"), "accepted");
  });

  test("a prompt does not wait for ever for a stream", async () => {
    const fetch = answers(unknownConnection, receipt);
    const { outbox, state, clock } = build({ fetch });
    queue(outbox, "one");
    await settle();
    state.connection = null;
    await clock.advance(30_000);
    assert.equal(stateOf(outbox, "one"), "accepted");
    assert.equal("X-Connection-ID" in fetch.mock.calls[1].arguments[1].headers, false);
  });

  test("an unknown session is final", async () => {
    const fetch = answers(
      answer(404, { ok: false, code: "unknown_session", error: "There is no such chat." }),
      receipt,
    );
    const { outbox } = build({ fetch });
    queue(outbox, "one", "two");
    await settle();
    assert.equal(stateOf(outbox, "one"), "failed");
    assert.deepEqual(texts(fetch), ["one", "two"]);
  });
});

describe("final refusals", () => {
  for (const status of [400, 403, 404, 409, 413, 422]) {
    test(`${status} is shown at its prompt and the next one goes`, async () => {
      const fetch = answers(answer(status, { ok: false, code: "why", error: "Because." }), receipt);
      const { outbox, clock } = build({ fetch });
      queue(outbox, "one", "two");
      await clock.advance(60_000);
      assert.deepEqual(texts(fetch), ["one", "two"]);
      const [entry] = outbox.prompts;
      assert.deepEqual([entry.state, entry.code, entry.error], ["failed", "why", "Because."]);
    });
  }

  test("a retry by hand sends the same id again", async () => {
    const fetch = answers(answer(413), receipt);
    const { outbox } = build({ fetch });
    const [id] = queue(outbox, "one");
    await settle();
    outbox.retry(id);
    await settle();
    assert.equal(sent(fetch.mock.calls[1]).clientMsgId, id);
    assert.equal(stateOf(outbox, "one"), "accepted");
  });

  test("a new chat that was refused is sent again as it is chosen then", async () => {
    const fetch = answers(
      answer(400, { ok: false, code: "cwd_not_allowed", error: "no" }),
      receipt,
    );
    const { outbox } = build({ fetch });
    const id = outbox.send({ draftId: "d", text: "one", agent: "demo", cwd: "/wrong" });
    await settle();
    outbox.retry(id, { agent: "demo", mode: null, cwd: "/right" });
    await settle();
    assert.deepEqual(
      fetch.mock.calls.map((call) => sent(call).cwd),
      ["/wrong", "/right"],
    );
  });

  test("an id that another prompt has used is replaced by the retry", async () => {
    const fetch = answers(
      answer(409, { ok: false, code: "fingerprint_conflict", error: "used" }),
      receipt,
    );
    const { outbox } = build({ fetch });
    const [id] = queue(outbox, "one");
    await settle();
    outbox.retry(id);
    await settle();
    assert.notEqual(sent(fetch.mock.calls[1]).clientMsgId, id);
  });

  test("a prompt that the server never takes can be given up: the next one goes", async () => {
    const fetch = mock.fn((url, init) =>
      JSON.parse(init.body).text === "one" ? answer(500)() : receipt(url, init),
    );
    const { outbox, clock } = build({ fetch });
    const [one] = queue(outbox, "one", "two");
    await clock.advance(60_000);
    const waiting = outbox.prompts.map(({ text, state, tried, attempted }) => [
      text,
      state,
      tried,
      attempted,
    ]);
    assert.deepEqual(waiting, [
      ["one", "queued", true, true],
      ["two", "queued", false, false],
    ]);
    outbox.discard(one);
    await settle();
    assert.deepEqual(
      outbox.prompts.map(({ text, state }) => [text, state]),
      [["two", "accepted"]],
    );
  });

  test("giving up a prompt that waits for Retry-After does not send the next one before it", async () => {
    const fetch = answers(
      answer(429, { ok: false, code: "rate_limited", error: "slow down" }, { "Retry-After": "7" }),
      receipt,
    );
    const { outbox, clock } = build({ fetch });
    const [one] = queue(outbox, "one", "two");
    await settle();
    assert.deepEqual([outbox.prompts[0].tried, outbox.prompts[0].attempted], [true, false]); // nothing was stored
    outbox.discard(one);
    await clock.advance(6_999);
    assert.equal(stateOf(outbox, "two"), "queued");
    await clock.advance(1);
    assert.equal(stateOf(outbox, "two"), "accepted");
  });

  test("an evicted prompt that was tried is not told as certainly not sent", async () => {
    const { outbox } = build({ fetch: answers(networkError), maxPending: 2 });
    queue(outbox, "one", "two");
    await settle();
    queue(outbox, "three", "four");
    const [one, two] = outbox.prompts;
    assert.deepEqual([one.state, two.state], ["evicted", "evicted"]);
    assert.match(one.error, /may have reached the server/);
    assert.equal(two.error, "More than 2 prompts were waiting.");
  });
});

describe("login", () => {
  test("401 waits for login, loses nothing and goes on in order", async () => {
    const fetch = answers(
      answer(401, { ok: false, code: "unauthenticated", error: "log in" }),
      receipt,
    );
    const { outbox, clock } = build({ fetch });
    queue(outbox, "one", "two");
    await clock.advance(600_000);
    outbox.resume();
    outbox.connectionChanged("c9");
    await settle();
    assert.equal(fetch.mock.callCount(), 1);
    assert.equal(outbox.waiting, "login");
    outbox.loggedIn();
    await settle();
    assert.deepEqual(texts(fetch), ["one", "one", "two"]);
  });

  test("a CSRF refusal means that the login has changed: it waits too", async () => {
    const fetch = answers(
      answer(403, { ok: false, code: "csrf_failed", error: "stale page" }),
      receipt,
    );
    const { outbox, clock } = build({ fetch });
    queue(outbox, "one");
    await clock.advance(600_000);
    assert.equal(fetch.mock.callCount(), 1);
    assert.equal(stateOf(outbox, "one"), "queued");
  });

  test("an origin that the server refuses stops the sending: another try meets it again", async () => {
    const fetch = answers(answer(403, { ok: false, code: "origin_refused", error: "no" }), receipt);
    const { outbox, clock } = build({ fetch });
    queue(outbox, "one");
    await clock.advance(600_000);
    outbox.resume();
    await settle();
    assert.equal(fetch.mock.callCount(), 1);
    assert.equal(outbox.prompts[0].attempted, false);
  });

  test("what one person left is not sent under another's login, and is there when they return", async () => {
    const storage = new FakeStorage();
    const before = build({ fetch: mock.fn(hanging), storage });
    queue(before.outbox, "mine");
    await settle();
    const others = answers(receipt);
    const other = build({ fetch: others, storage, userId: 2 });
    other.outbox.start();
    await settle();
    assert.equal(others.mock.callCount(), 0);
    const fetch = answers(receipt);
    const again = build({ fetch, storage, userId: 1 });
    again.outbox.start();
    await settle();
    assert.deepEqual(texts(fetch), ["mine"]);
  });

  test("a held outbox sends nothing", async () => {
    const fetch = answers(receipt);
    const { outbox, clock } = build({ fetch });
    outbox.hold();
    queue(outbox, "one");
    await clock.advance(120_000);
    assert.equal(fetch.mock.callCount(), 0);
  });
});

describe("the log is as good as a receipt", () => {
  test("a prompt seen in the log is not sent again", async () => {
    const fetch = answers(networkError, receipt);
    const { outbox, clock, options } = build({ fetch });
    const [one] = queue(outbox, "one", "two");
    await settle();
    outbox.confirm(one, SID);
    await clock.advance(1_000);
    assert.deepEqual(texts(fetch), ["one", "two"]);
    assert.equal(options.onReceipt.mock.calls[0].arguments[0].clientMsgId, one);
  });

  test("seen while its POST is under way: the end of the POST is waited for, whatever it is", async () => {
    const slow = deferred();
    const fetch = answers(() => slow.promise, receipt);
    const { outbox } = build({ fetch });
    const [one] = queue(outbox, "one", "two");
    await settle();
    outbox.confirm(one, SID);
    await settle();
    assert.deepEqual(texts(fetch), ["one"]);
    slow.reject(new TypeError("fetch failed"));
    await settle();
    assert.deepEqual(texts(fetch), ["one", "two"]);
    assert.equal(stateOf(outbox, "one"), undefined);
  });

  test("an accepted prompt leaves the outbox when the log shows it", async () => {
    const { outbox } = build({ fetch: answers(receipt) });
    const [one] = queue(outbox, "one");
    await settle();
    assert.equal(stateOf(outbox, "one"), "accepted");
    outbox.confirm(one, SID);
    assert.deepEqual(outbox.prompts, []);
  });
});
