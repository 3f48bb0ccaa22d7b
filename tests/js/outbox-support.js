/** An outbox over scripted answers. */

import { mock } from "node:test";

import { createCommands } from "../../transport/static/transport/commands.js";
import { Outbox } from "../../transport/static/transport/outbox.js";
import { FakeClock, FakeStorage, json } from "./support.js";

export const SID = "11111111-1111-4111-8111-111111111111";

export const NEW_SID = "22222222-2222-4222-8222-222222222222";

export const sent = (call) => JSON.parse(call.arguments[1].body);

export const texts = (fetch) => fetch.mock.calls.map((call) => sent(call).text);

export const receipt = (_url, { body }) => {
  const { clientMsgId, sessionId } = JSON.parse(body);
  return Promise.resolve(
    json(202, {
      ok: true,
      accepted: true,
      clientMsgId,
      sessionId: sessionId ?? NEW_SID,
      seq: 7,
      duplicate: false,
    }),
  );
};

export const answer =
  (status, /** @type {any} */ body = { ok: false, code: "x", error: "no" }, headers = {}) =>
  () =>
    Promise.resolve(json(status, body, headers));
export const networkError = () => Promise.reject(new TypeError("fetch failed"));

export function build({
  fetch,
  clock = new FakeClock(),
  storage = new FakeStorage(),
  connection = "c1",
  ...more
}) {
  let next = 0;
  const state = { connection };
  const command = createCommands({ fetch, csrf: () => "csrf-1", timeoutMs: 15_000, clock });
  /** @type {any} */
  const options = {
    command,
    clock,
    storage,
    random: () => 1,
    userId: 1,
    maxPending: 100,
    connectionId: () => state.connection,
    newId: () => `id${(next += 1)}`,
    onReceipt: mock.fn(),
    onUnknownConnection: mock.fn(),
    ...more,
  };
  return { outbox: new Outbox(options), clock, storage, state, options };
}

export const stateOf = (outbox, text) => outbox.prompts.find((entry) => entry.text === text)?.state;

export const queue = (outbox, ...list) => list.map((text) => outbox.send({ sessionId: SID, text }));
