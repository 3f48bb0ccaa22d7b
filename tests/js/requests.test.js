import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { keptKeys, keysName, makeKey } from "../../sessions/static/sessions/server/origin-key.js";
import { createRequest } from "../../sessions/static/sessions/server/requests.js";
import { FakeStorage } from "./support.js";

beforeEach(() => {
  globalThis.document = /** @type {any} */ ({ documentElement: { dataset: { home: "/chat/" } } });
});

const answered = (headers) => mock.fn(async () => new Response("{}", { headers }));
const requestTo = (fetch, onOther = () => {}) =>
  createRequest({ fetch, keys: () => "one two", userId: 7, onOther });

test("a request carries the keys beside its own headers", async () => {
  const fetch = answered({ "X-User-ID": "7" });
  await requestTo(fetch)("/api/agents", { method: "POST", headers: { Accept: "x" } });
  const [path, init] = /** @type {any} */ (fetch.mock.calls[0].arguments);
  assert.equal(path, "/chat/api/agents");
  assert.equal(init.method, "POST");
  assert.deepEqual(init.headers, { Accept: "x", "X-Origin-Key": "one two" });
});

test("an answer for another user is not read", async () => {
  const onOther = mock.fn();
  const asked = requestTo(answered({ "X-User-ID": "8" }), onOther)("/api/sessions");
  await assert.rejects(asked, /another user/);
  assert.equal(onOther.mock.callCount(), 1);
});

test("an answer that names no user is for the caller to judge", async () => {
  const response = await requestTo(answered({}))("/api/sessions");
  assert.equal(await response.text(), "{}");
});

test("keys are kept for one site, the last three of them", () => {
  const storage = /** @type {any} */ (new FakeStorage());
  const made = [1, 2, 3, 4].map(() => makeKey(storage, "/chat"));
  assert.equal(new Set(made).size, 4);
  assert.equal(keptKeys(storage, "/chat"), made.slice(1).join(" "));
  assert.equal(keptKeys(storage, ""), "");
  assert.match(made[0], /^[A-Za-z0-9-]{32,100}$/);
});

test("without a storage there is no key", () => {
  assert.equal(makeKey(null, ""), "");
  assert.equal(keptKeys(null, ""), "");
  const broken = /** @type {any} */ (new FakeStorage());
  broken.setItem(keysName(""), "nonsense");
  assert.equal(keptKeys(broken, ""), "");
});
