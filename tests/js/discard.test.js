/** A prompt that is discarded while its POST is under way. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { answers, deferred, FakeStorage, settle } from "./support.js";
import { answer, build, networkError, queue, receipt, texts } from "./outbox-support.js";

describe("discarded under way", () => {
  const ends = {
    "a receipt": receipt,
    "a network error": networkError,
    "a broken server": answer(500, {}),
    "a refusal": answer(400, { ok: false, code: "invalid_request" }),
  };
  for (const [name, end] of Object.entries(ends)) {
    test(`a prompt that is discarded under way is gone after ${name}, and the next one goes`, async () => {
      const slow = deferred();
      const late = (...request) => slow.promise.then(() => end(...request));
      const fetch = answers(late, receipt);
      const { outbox } = build({ fetch });
      const [one, two] = queue(outbox, "one", "two", "three");
      await settle();
      outbox.discard(one);
      outbox.discard(two);
      assert.deepEqual(
        outbox.prompts.map(({ text, unwanted = false }) => [text, unwanted]),
        [
          ["one", true],
          ["three", false],
        ],
      );
      slow.resolve();
      await settle();
      assert.deepEqual(texts(fetch), ["one", "three"]);
      assert.deepEqual(
        outbox.prompts.map(({ text, state }) => [text, state]),
        name === "a receipt"
          ? [
              ["one", "accepted"],
              ["three", "accepted"],
            ]
          : [["three", "accepted"]],
      );
    });
  }

  test("a Retry-After holds for the next prompt, too", async () => {
    const slow = deferred();
    const busy = answer(
      429,
      { ok: false, code: "rate_limited", error: "" },
      { "Retry-After": "7" },
    );
    const fetch = answers(() => slow.promise.then(busy), receipt);
    const { outbox, clock } = build({ fetch });
    const [one] = queue(outbox, "one", "two");
    await settle();
    outbox.discard(one);
    slow.resolve();
    await clock.advance(6_900);
    assert.deepEqual(texts(fetch), ["one"]);
    await clock.advance(100);
    assert.deepEqual(texts(fetch), ["one", "two"]);
  });

  test("a prompt that was discarded under way does not come back with a reload", async () => {
    const storage = new FakeStorage();
    const { outbox } = build({ fetch: answers(() => deferred().promise), storage });
    const [one] = queue(outbox, "one", "two");
    await settle();
    outbox.discard(one);
    const next = build({ fetch: answers(receipt), storage });
    assert.deepEqual(
      next.outbox.prompts.map(({ text }) => text),
      ["two"],
    );
  });
});
