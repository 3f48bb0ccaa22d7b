import assert from "node:assert/strict";
import { test } from "node:test";
import { answerOf, withBytes } from "../../sessions/static/sessions/account/passkey.js";

const bytes = (...values) => new Uint8Array(values).buffer;

test("challenge and ids become bytes, names stay texts", () => {
  const options = withBytes({
    rp: { id: "localhost", name: "Backstay" },
    user: { id: "_-8", name: "id" },
    challenge: "AAEC",
    excludeCredentials: [{ type: "public-key", id: "AQ" }],
    extensions: null,
    timeout: 5,
  });
  assert.deepEqual(options.rp, { id: "localhost", name: "Backstay" });
  assert.deepEqual([...options.user.id], [255, 239]);
  assert.equal(options.user.name, "id");
  assert.deepEqual([...options.challenge], [0, 1, 2]);
  assert.deepEqual([...options.excludeCredentials[0].id], [1]);
  assert.equal(options.extensions, null);
  assert.equal(options.timeout, 5);
});

test("an answer is JSON with base64url without padding", () => {
  const answer = answerOf({
    id: "AQ",
    rawId: bytes(255, 239),
    type: "public-key",
    response: { clientDataJSON: bytes(0), signature: bytes(1, 2), userHandle: null },
  });
  assert.deepEqual(answer, {
    id: "AQ",
    type: "public-key",
    rawId: "_-8",
    response: { clientDataJSON: "AA", signature: "AQI" },
    clientExtensionResults: {},
  });
});
