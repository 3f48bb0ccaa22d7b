/** The signs of life of a connection: heartbeats, probes, acknowledgements. */

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";

import { answers, deferred, hanging, json, settle } from "./support.js";
import { A, ok, build, live, down } from "./stream-support.js";

describe("signs of life", () => {
  test("two silent heartbeats end a stream; any byte is a sign", async () => {
    const { servers, clock } = await live();
    await clock.advance(29_000);
    await servers[0].raw(": still here\n\n");
    await clock.advance(29_999);
    assert.equal(servers.length, 1);
    await clock.advance(1);
    assert.equal(servers.length, 2);
  });

  test("the heartbeat is the server's", async () => {
    const { stream, servers, clock } = build();
    stream.open();
    await settle();
    await servers[0].welcome("c1", { heartbeatMs: 1_000 });
    await clock.advance(2_000);
    assert.equal(servers.length, 2);
  });

  test("an answer that does not come in 15 s is given up", async () => {
    const { stream, clock, get } = build({ steps: [hanging] });
    stream.open();
    await clock.advance(15_500);
    assert.equal(get.mock.callCount(), 2);
  });

  test("a probe that is answered leaves the stream alone", async () => {
    const { stream, servers, clock, told } = await live();
    stream.wake("foreground");
    await settle();
    const [name, { nonce }] = told()[0];
    assert.equal(name, "probe");
    await servers[0].send({ type: "probe", nonce });
    await clock.advance(1_000);
    assert.equal(servers.length, 1);
  });

  test("a probe without its nonce within a second rebuilds the stream", async () => {
    const { stream, servers, clock } = await live();
    stream.wake("foreground");
    await servers[0].send({ type: "probe", nonce: "another" });
    await clock.advance(999);
    assert.equal(servers.length, 1);
    await clock.advance(1);
    assert.equal(servers.length, 2);
  });

  test("a probe that the server does not know the connection of rebuilds at once", async () => {
    const { stream, servers } = await live({
      commands: answers(() =>
        Promise.resolve(json(404, { ok: false, code: "unknown_connection", error: "gone" })),
      ),
    });
    stream.probe();
    await settle();
    assert.equal(servers.length, 2);
  });

  test("what was applied is acknowledged in batches, and only what is new", async () => {
    const { servers, clock, told } = await live({}, 5);
    for (const seq of [6, 7, 8]) await servers[0].event(A, seq);
    await clock.advance(3_000);
    await clock.advance(3_000);
    assert.deepEqual(told(), [["ack", { sessions: [{ sessionId: A, cursor: 8 }] }, "c1"]]);
  });

  const ack = (cursor) => ["ack", { sessions: [{ sessionId: A, cursor }] }, "c1"];
  for (const [what, lose] of [
    ["lost on its way", down],
    [
      "met by a gateway's page",
      () => Promise.resolve(new Response("<h1>502</h1>", { status: 502 })),
    ],
    [
      "refused for a moment",
      () => Promise.resolve(json(429, { ok: false, code: "rate_limited", error: "later" })),
    ],
  ]) {
    test(`an acknowledgement that was ${what} is told again until it arrives, though nothing new comes`, async () => {
      const { servers, clock, told } = await live({ commands: answers(lose, lose, ok) }, 5);
      await servers[0].event(A, 6);
      await clock.advance(2_999);
      assert.deepEqual(told(), []);
      await clock.advance(1);
      assert.deepEqual(told(), [ack(6)]);
      await clock.advance(2_999);
      assert.equal(told().length, 1, "not more often than others");
      await clock.advance(1 + 3_000);
      assert.deepEqual(told(), [ack(6), ack(6), ack(6)]);
      await clock.advance(12_000);
      assert.equal(told().length, 3);
    });
  }

  test("one acknowledgement is under way at a time; what came meanwhile is told behind it", async () => {
    const slow = deferred();
    const { servers, clock, told } = await live({ commands: answers(() => slow.promise, ok) }, 5);
    await servers[0].event(A, 6);
    await clock.advance(3_000);
    await servers[0].event(A, 7);
    await clock.advance(9_000);
    assert.deepEqual(told(), [ack(6)]);
    slow.resolve(json(200, { ok: true }));
    await clock.advance(3_000);
    assert.deepEqual(told(), [ack(6), ack(7)]);
  });

  test("an acknowledgement belongs to its stream: without that one it is not told again", async () => {
    const { servers, stream, clock, told } = await live({ commands: answers(down) }, 5);
    await servers[0].event(A, 6);
    await clock.advance(3_000);
    await servers[0].end();
    const before = told().length;
    stream.close();
    await clock.advance(12_000);
    assert.equal(told().length, before);
  });

  test("an acknowledgement that the server refuses for good is not told again", async () => {
    const { servers, clock, told } = await live(
      {
        commands: answers(() =>
          Promise.resolve(json(400, { ok: false, code: "invalid_request", error: "no" })),
        ),
      },
      5,
    );
    await servers[0].event(A, 6);
    await clock.advance(12_000);
    assert.equal(told().length, 1);
  });

  test("a stream whose acknowledgement the server cannot place is opened anew", async () => {
    const { servers, clock } = await live(
      {
        commands: answers(
          () =>
            Promise.resolve(json(404, { ok: false, code: "unknown_connection", error: "gone" })),
          ok,
        ),
      },
      5,
    );
    await servers[0].event(A, 6);
    await clock.advance(3_000);
    assert.equal(servers.length, 2);
  });
});
