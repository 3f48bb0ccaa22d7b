/** One stream over scripted connections: its opening, the order of its events, its log-in. */

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";

import { answers, json, settle } from "./support.js";
import { A, ok, build, live, refuse } from "./stream-support.js";

const B = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb";

describe("opening", () => {
  test("carries every watched session in its URL, with its cursor where there is one", async () => {
    const { stream, servers } = build();
    stream.watch(A, null);
    stream.watch(B, 41);
    stream.open();
    await settle();
    assert.equal(
      servers[0].url,
      `/api/chat/events?watch=${A}&watch=${encodeURIComponent(`${B}:41`)}`,
    );
  });

  test("what is watched between its request and its welcome is told then", async () => {
    const { stream, servers, told } = build();
    stream.watch(A, 7);
    stream.open();
    await settle();
    stream.watch(B, 41);
    assert.deepEqual(told(), []);
    await servers[0].welcome("c1");
    await settle();
    assert.deepEqual(told(), [["watch", { sessionId: B, cursor: 41 }, "c1"]]);
  });

  test("takes its id from welcome and is live only then", async () => {
    const { stream, servers, states } = build();
    stream.open();
    await settle();
    assert.equal(stream.connectionId, null);
    await servers[0].welcome("c1");
    assert.equal(stream.connectionId, "c1");
    assert.deepEqual(states, ["connecting", "live"]);
  });

  test("opening twice is one stream", async () => {
    const { stream, get } = build();
    stream.open();
    stream.open();
    await settle();
    assert.equal(get.mock.callCount(), 1);
  });

  test("a session watched on a live stream is told by command with the stream's id", async () => {
    const { stream, told } = await live();
    stream.watch(B, 3);
    stream.unwatch(B);
    await settle();
    assert.deepEqual(told(), [
      ["watch", { sessionId: B, cursor: 3 }, "c1"],
      ["unwatch", { sessionId: B }, "c1"],
    ]);
  });

  test("a watch that the server refuses is told and not asked for again", async () => {
    const { stream, frames, servers } = await live({
      commands: answers(() =>
        Promise.resolve(json(409, { ok: false, code: "too_many_watches", error: "50" })),
      ),
    });
    stream.watch(B);
    await settle();
    assert.deepEqual(frames.at(-1), {
      type: "watch_rejected",
      sessionId: B,
      code: "too_many_watches",
    });
    await servers[0].end();
    assert.equal(stream.watches(B), false);
  });

  for (const [what, answer] of /** @type {[string, () => Response][]} */ ([
    [
      "a gateway's page",
      () => new Response("<h1>502</h1>", { status: 502, headers: { "Content-Type": "text/html" } }),
    ],
    [
      "a gateway's 404",
      () => new Response("<h1>404</h1>", { status: 404, headers: { "Content-Type": "text/html" } }),
    ],
    ["a server that is busy", () => json(429, { ok: false, code: "rate_limited", error: "later" })],
  ])) {
    test(`a watch that met ${what} is asked for again, by the next stream`, async () => {
      const { stream, frames, servers, clock } = await live({
        commands: answers(() => Promise.resolve(answer())),
      });
      stream.watch(B, 3);
      await settle();
      assert.equal(
        frames.some((frame) => frame.type === "watch_rejected"),
        false,
      );
      await clock.advance(1_000);
      await settle();
      assert.match(servers[1].url, new RegExp(`watch=${B}%3A3`));
    });
  }

  test("a rejected watch does not come back with the next stream", async () => {
    const { stream, servers } = await live();
    await servers[0].send({ type: "watch_rejected", sessionId: A, code: "unknown_session" });
    stream.rebuild("test");
    await settle();
    assert.equal(servers[1].url, "/api/chat/events");
  });
});

describe("order", () => {
  test("what was seen is dropped, what follows is delivered", async () => {
    const { servers, seqs } = await live({}, 5);
    for (const seq of [4, 5, 6, 6, 7, 5, 8]) await servers[0].event(A, seq);
    assert.deepEqual(seqs(), [6, 7, 8]);
  });

  test("a hole asks the server once, delivers nothing beyond it, and goes on when it is filled", async () => {
    const { servers, seqs, told } = await live({}, 5);
    for (const seq of [6, 9, 10, 11]) await servers[0].event(A, seq);
    await settle();
    assert.deepEqual(seqs(), [6]);
    assert.deepEqual(told(), [["reconnect", { sessions: [{ sessionId: A, cursor: 6 }] }, "c1"]]);
    for (const seq of [7, 8, 9, 10, 11, 12]) await servers[0].event(A, seq);
    assert.deepEqual(seqs(), [6, 7, 8, 9, 10, 11, 12]);
  });

  test("a second hole later asks again", async () => {
    const { servers, told } = await live({}, 0);
    for (const seq of [1, 3, 2, 3, 5]) await servers[0].event(A, seq);
    await settle();
    assert.deepEqual(
      told().map(([, body]) => body.sessions[0].cursor),
      [1, 3],
    );
  });

  test("a hole that stays open makes a new stream from the cursor before it", async () => {
    const { servers, clock } = await live({}, 5);
    await servers[0].event(A, 9);
    await clock.advance(10_000);
    assert.equal(servers.length, 2);
    assert.match(servers[1].url, /%3A5$/);
  });

  test("a hole in one session does not hold another", async () => {
    const { stream, servers, frames } = await live({}, 5);
    stream.watch(B, 0);
    await servers[0].event(A, 9);
    await servers[0].event(B, 1);
    assert.deepEqual(
      frames.filter((f) => f.seq).map((f) => f.sessionId),
      [B],
    );
  });

  const skip = (to, from = 6) => ({
    type: "replay_skipped",
    sessionId: A,
    from,
    to,
    reason: "max_replay_gap",
  });

  test("a full snapshot behind an announced skip sets the cursor; an older one is dropped", async () => {
    const { stream, servers, frames } = await live({}, 5);
    await servers[0].send(skip(300));
    await servers[0].snapshot(A, 300);
    assert.equal(stream.cursor(A), 300);
    await servers[0].snapshot(A, 299);
    assert.equal(stream.cursor(A), 300);
    assert.equal(frames.filter((f) => f.type === "session_snapshot").length, 1);
  });

  test("a snapshot of another log goes back to its cursor", async () => {
    const { stream, servers } = await live({}, 5);
    await servers[0].snapshot(A, 3, { cursorInvalid: true });
    assert.equal(stream.cursor(A), 3);
  });

  test("a full snapshot ahead of the cursor without a skip would be a silent one: it is a hole", async () => {
    const { stream, servers, told } = await live({}, 5);
    await servers[0].snapshot(A, 300);
    await settle();
    assert.equal(stream.cursor(A), 5);
    assert.deepEqual(told()[0], ["reconnect", { sessions: [{ sessionId: A, cursor: 5 }] }, "c1"]);
  });

  test("a skip that begins beyond the cursor answers another wish and is not shown", async () => {
    const { servers, frames, told } = await live({}, 2);
    await servers[0].send(skip(300));
    await servers[0].snapshot(A, 300);
    await settle();
    assert.equal(
      frames.some((f) => f.type === "replay_skipped"),
      false,
    );
    assert.deepEqual(told()[0], ["reconnect", { sessions: [{ sessionId: A, cursor: 2 }] }, "c1"]);
  });

  test("a skip that is announced twice is told once", async () => {
    const { servers, frames } = await live({}, 5);
    await servers[0].send(skip(300));
    await servers[0].send(skip(300));
    await servers[0].snapshot(A, 300);
    await servers[0].send(skip(300));
    assert.equal(frames.filter((f) => f.type === "replay_skipped").length, 1);
  });

  test("a session that the server watches no more, but this client does, is watched again", async () => {
    const { stream, servers, told, frames } = await live({}, 5);
    await servers[0].send({ v: 1, type: "unwatched", sessionId: A });
    await settle();
    assert.deepEqual(told(), [["watch", { sessionId: A, cursor: 5 }, "c1"]]);
    stream.unwatch(A);
    await servers[0].send({ v: 1, type: "unwatched", sessionId: A });
    await settle();
    assert.deepEqual(
      told().map(([name]) => name),
      ["watch", "unwatch"],
    );
    assert.equal(
      frames.some((frame) => frame.type === "unwatched"),
      false,
    );
  });

  test("a snapshot without messages ahead of the cursor is a hole", async () => {
    const { stream, servers, told } = await live({}, 5);
    await servers[0].snapshot(A, 8, { full: false });
    await settle();
    assert.equal(stream.cursor(A), 5);
    assert.equal(told()[0][0], "reconnect");
  });

  test("a skip moves the cursor only by the snapshot behind it: cut in between, it is announced again", async () => {
    const { servers, frames, clock } = await live({}, 5);
    await servers[0].send({
      type: "replay_skipped",
      sessionId: A,
      from: 6,
      to: 900,
      reason: "max_replay_gap",
    });
    await servers[0].end();
    assert.equal(frames.at(-1).type, "replay_skipped");
    await clock.advance(500);
    assert.match(servers[1].url, /%3A5$/);
  });

  test("frames of a session that is not watched are dropped", async () => {
    const { servers, frames } = await live();
    await servers[0].event(B, 1);
    assert.equal(
      frames.some((f) => f.sessionId === B),
      false,
    );
  });

  test("an unknown type moves the cursor and is handed on", async () => {
    const { stream, servers, frames } = await live({}, 5);
    await servers[0].event(A, 6, { type: "from_the_future" });
    assert.equal(stream.cursor(A), 6);
    assert.equal(frames.at(-1).type, "from_the_future");
  });
});

describe("login", () => {
  test("401 stops until there is a login again", async () => {
    const { stream, clock, get, states } = build({ steps: [refuse(401)] });
    stream.open();
    await clock.advance(600_000);
    stream.wake("online");
    await settle();
    assert.equal(get.mock.callCount(), 1);
    assert.equal(states.at(-1), "unauthorised");
    stream.wake("login");
    await settle();
    assert.equal(get.mock.callCount(), 2);
  });
});
