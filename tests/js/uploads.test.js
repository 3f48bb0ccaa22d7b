/** Uploads: pieces from where the server is, and a prompt that waits for its files. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { createUpload } from "../../transport/static/transport/uploads.js";
import { answer, build, receipt, sent, SID } from "./outbox-support.js";
import { json } from "./support.js";

const FILE = { blob: "a".repeat(64), name: "a.png", mime: "image/png", size: 10 };
const files = { get: async () => new Blob(["0123456789"]) };

/** A server that keeps the bytes of one upload. @param {{lose?: number}} [more] lose: answers that are lost */
function server({ lose = 0 } = {}) {
  let held = "";
  const ranges = [];
  /** @type {any} */
  const fetch = async (_url, { headers, body }) => {
    const range = headers["Content-Range"].replace("bytes ", "");
    ranges.push(range);
    if (body) {
      const from = Number(range.split("-")[0]);
      if (from > held.length)
        return json(409, { ok: false, code: "range_mismatch", received: held.length });
      held = held.slice(0, from) + (await body.text());
    }
    if (body && lose-- > 0) throw new TypeError("fetch failed");
    if (held.length < 10) return json(202, { ok: true, received: held.length });
    return json(body ? 201 : 200, { ok: true, received: 10, mime: "image/png" });
  };
  return { fetch, ranges, held: () => held };
}

const uploadBy = (fetch) =>
  createUpload({ fetch, csrf: () => "c", timeoutMs: 1_000, files, pieceBytes: 4 });

test("a file goes up in pieces, and a second time only the question", async () => {
  const { fetch, ranges, held } = server();
  const upload = uploadBy(fetch);
  assert.equal(await upload([FILE]), null);
  assert.equal(held(), "0123456789");
  assert.deepEqual(ranges, ["*/10", "0-3/10", "4-7/10", "8-9/10"]);
  await upload([FILE]);
  assert.deepEqual(ranges.slice(4), ["*/10"]);
});

test("an upload that was cut continues where it ended", async () => {
  const { fetch, ranges, held } = server({ lose: 1 });
  const upload = uploadBy(fetch);
  await assert.rejects(upload([FILE]), TypeError);
  assert.equal(await upload([FILE]), null);
  assert.equal(held(), "0123456789");
  assert.deepEqual(ranges, ["*/10", "0-3/10", "*/10", "4-7/10", "8-9/10"]);
});

test("a prompt is posted once its files are up, and names them", async () => {
  const fetch = mock.fn(receipt);
  const upload = mock.fn(async () => null);
  upload.mock.mockImplementationOnce(() => Promise.reject(new TypeError("fetch failed")));
  const { outbox, clock } = build({ fetch, upload });
  outbox.send({ sessionId: SID, text: "look", attachments: [FILE] });
  await clock.advance(0);
  assert.equal(fetch.mock.callCount(), 0);
  assert.deepEqual([outbox.prompts[0].state, outbox.prompts[0].attempted], ["queued", false]);
  await clock.advance(2_000);
  assert.equal(fetch.mock.callCount(), 1);
  assert.deepEqual(sent(fetch.mock.calls[0]).attachments, [{ blob: FILE.blob, name: "a.png" }]);
});

test("a file that is refused fails its prompt, and the next one goes out", async () => {
  const fetch = mock.fn(receipt);
  const refusal = await answer(507, { ok: false, code: "quota", error: "Full." })();
  const upload = mock.fn(async () => ({
    status: refusal.status,
    body: { ok: false, code: "quota", error: "Full." },
    retryAfterMs: 0,
    isOurs: true,
  }));
  const { outbox, clock } = build({ fetch, upload });
  outbox.send({ sessionId: SID, text: "look", attachments: [FILE] });
  outbox.send({ sessionId: SID, text: "next" });
  await clock.advance(0);
  assert.deepEqual([outbox.prompts[0].state, outbox.prompts[0].error], ["failed", "Full."]);
  assert.equal(sent(fetch.mock.calls[0]).text, "next");
});
