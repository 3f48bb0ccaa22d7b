/** The browser's modules and the Python client decide alike: both are held to tests/golden/clients.json. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, mock, test } from "node:test";

import { backoffMs, retryAfterMs } from "../../transport/static/transport/clock.js";
import { answerOf, createCommands, isDone } from "../../transport/static/transport/commands.js";
import { Cursors } from "../../transport/static/transport/cursors.js";
import { Outbox } from "../../transport/static/transport/outbox.js";
import { FrameParser } from "../../transport/static/transport/sse.js";
import { FakeClock, FakeStorage, json, settle } from "./support.js";

const golden = JSON.parse(
  readFileSync(new URL("../golden/clients.json", import.meta.url), { encoding: "utf-8" }),
);

describe("cursors", () => {
  for (const { name, cursor, steps } of golden.cursors) {
    test(name, () => {
      const cursors = new Cursors();
      cursors.track("s", cursor);
      for (const step of steps) {
        assert.equal(cursors.accept(step.frame), step.verdict);
        assert.equal(cursors.get("s"), step.cursor);
      }
    });
  }
});

test("backoff", () => {
  for (const { attempt, random, ms } of golden.backoff)
    assert.equal(
      backoffMs(attempt, () => random),
      ms,
      `${attempt}`,
    );
});

test("Retry-After", () => {
  const now = Date.parse(golden.now);
  for (const { value, ms } of golden.retryAfter)
    assert.equal(retryAfterMs(value, now), ms, `${value}`);
});

/** @param {{status: number, body: object|null, retryAfter?: string}} answer */
function responseOf({ status, body, retryAfter }) {
  const headers = retryAfter === undefined ? {} : { "Retry-After": retryAfter };
  return body === null ? new Response(null, { status, headers }) : json(status, body, headers);
}

test("commands that are done", async () => {
  for (const wanted of golden.done)
    assert.equal(isDone(await answerOf(responseOf(wanted), 0)), wanted.isDone, `${wanted.status}`);
});

describe("frames", () => {
  for (const { wire, frames } of golden.sse) {
    test(JSON.stringify(wire), () => {
      for (const size of [1, 2, 3, 7, 1000]) {
        const seen = [];
        const parser = new FrameParser((frame) => seen.push(frame));
        const characters = [...wire];
        for (let at = 0; at < characters.length; at += size)
          parser.push(characters.slice(at, at + size).join(""));
        assert.deepEqual(seen, frames);
      }
    });
  }
});

/**
 * One prompt whose POST is answered once; every further POST would hang.
 * @param {{status: number, body: object|null, retryAfter?: string}} answer
 */
async function answered(answer) {
  const fetch = mock.fn(() => new Promise(() => {}));
  fetch.mock.mockImplementationOnce(() => Promise.resolve(responseOf(answer)), 0);
  const clock = new FakeClock();
  const command = createCommands({ fetch, csrf: () => "csrf", timeoutMs: 15_000, clock });
  const outbox = new Outbox(
    /** @type {any} */ ({
      command,
      clock,
      storage: new FakeStorage(),
      random: () => 1,
      userId: 1,
      maxPending: 100,
      connectionId: () => "c1",
      newId: () => "id1",
    }),
  );
  outbox.send({ sessionId: "s", text: "a" });
  await settle();
  return { entry: outbox.prompts[0], waiting: outbox.waiting };
}

describe("receipts", () => {
  for (const { status, body, isReceipt } of golden.receipts) {
    test(`${status} ${JSON.stringify(body)}`, async () => {
      const { entry } = await answered({ status, body });
      assert.equal(entry.state === "accepted", isReceipt);
    });
  }
});

describe("the outbox decides by the answer", () => {
  for (const wanted of golden.outbox) {
    test(`${wanted.status} ${JSON.stringify(wanted.body)}`, async () => {
      const { entry, waiting } = await answered(wanted);
      assert.deepEqual([entry.state, waiting], [wanted.state, wanted.waiting]);
      if ("mayBeInLog" in wanted) assert.equal(entry.attempted, wanted.mayBeInLog);
    });
  }
});
