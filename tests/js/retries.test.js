/** The waits between the connections of a stream. */

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";

import { backoffMs } from "../../transport/static/transport/clock.js";
import { settle } from "./support.js";
import { A, ok, build, live, refuse, down } from "./stream-support.js";

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
