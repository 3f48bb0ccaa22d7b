import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";

import { backoffMs } from "../../transport/static/transport/clock.js";
import { createCommands } from "../../transport/static/transport/commands.js";
import { Cursors } from "../../transport/static/transport/cursors.js";
import { FrameParser } from "../../transport/static/transport/sse.js";
import { Stream } from "../../transport/static/transport/stream.js";
import {
  answers,
  deferred,
  FakeClock,
  FakeServerStream,
  hanging,
  json,
  settle,
} from "./support.js";

const A = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
const B = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb";
const ok = () => Promise.resolve(json(200, { ok: true }));

/** A stream over scripted connections: `steps` answer the GETs in turn, every further one is a good stream. */
function build({ steps = [], commands = answers(ok), random = () => 1 } = {}) {
  const clock = new FakeClock();
  const servers = [];
  const good = (url, init) => {
    servers.push(new FakeServerStream(url, init));
    return Promise.resolve(servers.at(-1).response());
  };
  const get = mock.fn(good);
  steps.forEach((step, call) => get.mock.mockImplementationOnce(step ?? good, call));
  const fetch = (url, init) => (init.method === "POST" ? commands(url, init) : get(url, init));
  const command = createCommands({ fetch, csrf: () => "t", timeoutMs: 15_000, clock });
  const frames = [];
  const states = [];
  const stream = new Stream({
    fetch,
    command,
    clock,
    random,
    onFrame: (frame) => frames.push(frame),
    onStatus: ({ state }) => states.push(state),
  });
  const told = () =>
    commands.mock.calls.map(({ arguments: [url, init] }) => [
      url.split("/").at(-1),
      JSON.parse(init.body),
      init.headers["X-Connection-ID"],
    ]);
  return {
    stream,
    clock,
    servers,
    get,
    commands,
    frames,
    states,
    told,
    seqs: () => frames.filter((f) => f.seq).map((f) => f.seq),
  };
}

async function live(options, cursor = null) {
  const built = build(options);
  built.stream.watch(A, cursor);
  built.stream.open();
  await settle();
  await built.servers.at(-1).welcome("c1");
  return built;
}

const refuse =
  (status, headers = {}) =>
  () =>
    Promise.resolve(json(status, { ok: false, code: "x", error: "no" }, headers));
const down = () => Promise.reject(new TypeError("fetch failed"));

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

describe("coming back", () => {
  test("with all cursors, under a new id", async () => {
    const { stream, servers, clock } = await live({}, 5);
    await servers[0].event(A, 6);
    await servers[0].end();
    assert.equal(stream.connectionId, null);
    await clock.advance(500);
    assert.match(servers[1].url, /%3A6$/);
    await servers[1].welcome("c2");
    assert.equal(stream.connectionId, "c2");
  });

  test("after 0.5 s doubling to 30 s", async () => {
    const { stream, clock } = build({ steps: Array(9).fill(down) });
    stream.open();
    const waits = [];
    for (let i = 0; i < 9; i += 1) {
      await settle();
      waits.push(clock.nextIn);
      await clock.advance(clock.nextIn);
    }
    assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  test("anywhere between half of the ceiling and the ceiling, never at once", () => {
    assert.equal(
      backoffMs(0, () => 0),
      250,
    );
    assert.equal(
      backoffMs(3, () => 0),
      2_000,
    );
    assert.equal(
      backoffMs(3, () => 0.5),
      3_000,
    );
    assert.equal(
      backoffMs(1_000, () => 0.999_999),
      30_000,
    );
  });

  const spread = { spreadMs: 10_000 };

  /** A stream that was live on a server of many clients; `more`: what welcome said besides. */
  async function liveOf(options, more) {
    const built = build(options);
    built.stream.watch(A, null);
    built.stream.open();
    await settle();
    await built.servers[0].welcome("c1", more);
    return built;
  }

  for (const [what, lose] of /** @type {[string, (server: any) => any][]} */ ([
    ["an end without a word", (server) => server.end()],
    ["a server that goes away", (server) => server.send({ type: "going_away" })],
  ])) {
    test(`5,000 clients come back over the time that the server told, after ${what}`, async () => {
      let x = 7;
      const random = () => {
        x = (x * 48_271) % 2_147_483_647;
        return x / 2_147_483_647;
      };
      const seconds = new Map();
      await Promise.all(
        Array.from({ length: 5_000 }, async () => {
          const { stream, servers, clock } = await liveOf({ random }, spread);
          await lose(servers[0]);
          const second = Math.floor((stream.status.retryAt - clock.now()) / 1_000);
          seconds.set(second, (seconds.get(second) ?? 0) + 1);
        }),
      );
      assert.equal(
        [...seconds.values()].reduce((sum, n) => sum + n),
        5_000,
      );
      assert.ok(Math.max(...seconds.values()) < 0.15 * 5_000, JSON.stringify([...seconds]));
    });
  }

  test("the spread is the last that the server told, by a ping too, and none when it told none", async () => {
    const { servers, clock } = await liveOf({}, spread);
    await servers[0].send({ serverTime: "2026-11-23T08:00:15.000Z", spreadMs: 4_000 }, "ping");
    await servers[0].end();
    assert.equal(clock.nextIn, 500 + 4_000);
    await clock.advance(clock.nextIn);
    await servers[1].welcome("c2");
    await clock.advance(5_000);
    await servers[1].end();
    assert.equal(clock.nextIn, 500);
  });

  test("the spread is for the first try alone: who finds no server waits by the delays", async () => {
    const { servers, clock, get } = await liveOf({ steps: [null, down] }, spread);
    await servers[0].end();
    await clock.advance(10_500);
    assert.equal(get.mock.callCount(), 2);
    assert.equal(clock.nextIn, 1_000);
  });

  test("a silent server is many clients' loss too", async () => {
    const { servers, clock } = await liveOf({}, spread);
    await clock.advance(30_000);
    assert.equal(servers.length, 1);
    await clock.advance(10_000);
    assert.equal(servers.length, 2);
  });

  for (const reason of /** @type {const} */ (["online", "foreground", "asked"])) {
    test(`who waits for the spread comes back at once on ${reason}`, async () => {
      const { stream, servers } = await liveOf({}, spread);
      await servers[0].send({ type: "going_away" });
      assert.equal(servers.length, 1);
      stream.wake(reason);
      await settle();
      assert.equal(servers.length, 2);
    });
  }

  test("a line that one client alone finds dead is not spread", async () => {
    const { stream, servers, clock } = await liveOf({}, spread);
    stream.wake("foreground");
    await clock.advance(1_000); // the probe's answer does not come
    assert.equal(servers.length, 2);
    await servers[1].welcome("c2", spread);
    stream.forget("c2");
    await settle();
    assert.equal(servers.length, 3);
  });

  test("a stream that lived starts again at the first delay, one that died at once does not", async () => {
    const { stream, servers, clock } = build();
    stream.open();
    await settle();
    await servers[0].welcome("c1");
    await servers[0].end();
    assert.equal(clock.nextIn, 500);
    await clock.advance(500);
    await servers[1].welcome("c2");
    await servers[1].end();
    assert.equal(clock.nextIn, 1_000);
    await clock.advance(1_000);
    await servers[2].welcome("c3");
    await clock.advance(5_000);
    await servers[2].end();
    assert.equal(clock.nextIn, 500);
  });

  test("not before Retry-After", async () => {
    const { stream, clock, get } = build({ steps: [refuse(429, { "Retry-After": "9" })] });
    stream.open();
    await clock.advance(8_999);
    assert.equal(get.mock.callCount(), 1);
    await clock.advance(1);
    assert.equal(get.mock.callCount(), 2);
  });

  for (const status of [404, 500, 502, 503]) {
    test(`after ${status}`, async () => {
      const { stream, clock, get } = build({ steps: [refuse(status)] });
      stream.open();
      await clock.advance(500);
      assert.equal(get.mock.callCount(), 2);
    });
  }

  test("after a cursor that the server cannot read, from snapshots", async () => {
    const { stream, clock, servers } = build({ steps: [refuse(400)] });
    stream.watch(A, 7);
    stream.open();
    await clock.advance(500);
    assert.equal(servers[0].url, `/api/chat/events?watch=${A}`);
  });

  test("at once when the server says that it goes away", async () => {
    const { servers, get } = await live();
    await servers[0].send({ type: "going_away" });
    assert.equal(get.mock.callCount(), 2);
  });

  test("at once when the line turns out dead just after the page came back", async () => {
    const { stream, servers } = await live();
    stream.wake("foreground");
    await servers[0].end();
    assert.equal(servers.length, 2);
    await servers[1].end();
    assert.equal(servers.length, 2); // once: then with delays
  });

  test("a server that ends every stream at once is not hammered", async () => {
    const { stream, servers, clock } = build();
    stream.open();
    await settle();
    for (let i = 0; i < 3; i += 1) {
      await servers.at(-1).welcome(`c${i}`);
      await servers.at(-1).send({ type: "going_away" });
    }
    assert.equal(servers.length, 3);
    await clock.advance(clock.nextIn);
    assert.equal(servers.length, 4);
  });

  for (const reason of /** @type {const} */ (["online", "foreground"])) {
    test(`at once on ${reason}, with the delays starting anew`, async () => {
      const { stream, clock, get } = build({ steps: Array(6).fill(down) });
      stream.open();
      await clock.advance(500 + 1_000 + 2_000);
      assert.equal(get.mock.callCount(), 4);
      stream.wake(reason);
      await settle();
      assert.equal(get.mock.callCount(), 5);
      assert.equal(clock.nextIn, 500);
    });
  }

  test("a late word or end of an old stream does not touch the new one", async () => {
    const { stream, servers, seqs, get } = await live({}, 5);
    stream.rebuild("test");
    await settle();
    await servers[1].welcome("c2");
    assert.equal(servers[0].aborted, true);
    await servers[1].event(A, 6);
    assert.deepEqual(seqs(), [6]);
    assert.equal(stream.connectionId, "c2");
    assert.equal(get.mock.callCount(), 2);
  });

  test("an old connection's id does not throw a younger stream away", async () => {
    const { stream, servers } = await live();
    stream.rebuild("test");
    await settle();
    await servers[1].welcome("c2");
    stream.forget("c1");
    await settle();
    assert.equal(servers.length, 2);
    stream.forget("c2");
    await settle();
    assert.equal(servers.length, 3);
  });

  test("the time of the loss stays the same until it is live again", async () => {
    const { stream, servers, clock } = await live({ steps: [null, down, down] });
    await clock.advance(6_000);
    const at = clock.now();
    await servers[0].end();
    await clock.advance(500 + 1_000);
    assert.equal(stream.status.downSince, at);
    await clock.advance(2_000);
    assert.equal(stream.status.downSince, at);
    await servers[1].welcome("c2");
    assert.equal(stream.status.downSince, null);
  });

  test("closed means closed", async () => {
    const { stream, servers, clock, get } = await live();
    stream.close();
    await clock.advance(120_000);
    stream.wake("online");
    await settle();
    assert.equal(get.mock.callCount(), 1);
    assert.equal(servers[0].aborted, true);
    assert.equal(clock.nextIn, null);
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

describe("the parser", () => {
  const parse = (...pieces) => {
    const frames = [];
    const parser = new FrameParser((frame) => frames.push(frame));
    pieces.forEach((piece) => parser.push(piece));
    return frames;
  };

  test("gives the same frames wherever the network cuts", () => {
    const text =
      'retry: 1000\nevent: welcome\ndata: {"a":1}\n\nid: x:1\r\ndata: one\r\ndata:two\r\n\r\n: ping\n\ndata: é\n\n';
    const whole = parse(text);
    assert.deepEqual(whole, [
      { event: "welcome", id: "", data: '{"a":1}' },
      { event: "message", id: "x:1", data: "one\ntwo" },
      { event: "message", id: "", data: "é" },
    ]);
    for (let at = 0; at < text.length; at += 1)
      assert.deepEqual(parse(text.slice(0, at), text.slice(at)), whole);
    assert.deepEqual(parse(...text), whole);
  });

  test("gives nothing for a frame that is not finished", () => {
    assert.deepEqual(parse("data: half\n"), []);
  });
});

describe("cursors", () => {
  test("a random run of duplicates, holes and late frames delivers each seq once, ascending", () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      let x = seed;
      const random = () => {
        x = (x * 48_271) % 2_147_483_647;
        return x / 2_147_483_647;
      };
      const cursors = new Cursors();
      cursors.track(A, 0);
      const got = [];
      while (got.length < 40) {
        const at = cursors.get(A);
        const seq = Math.max(1, at + 1 + Math.floor(random() * 7) - 3);
        const verdict = cursors.accept({ type: "x", sessionId: A, seq });
        assert.equal(verdict, seq <= at ? "drop" : seq === at + 1 ? "deliver" : "gap");
        if (verdict === "deliver") got.push(seq);
      }
      assert.deepEqual(
        got,
        Array.from({ length: 40 }, (_, i) => i + 1),
      );
    }
  });
});
