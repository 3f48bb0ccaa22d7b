import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { createActions } from "../../sessions/static/sessions/server/actions.js";

const SID = "11111111-1111-4111-8111-111111111111";

function build() {
  const command = mock.fn(() =>
    Promise.resolve({
      status: 202,
      body: { ok: true, interrupted: true },
      retryAfterMs: 0,
      isOurs: true,
    }),
  );
  const actions = createActions({
    command,
    connectionId: () => "c1",
    api: {},
  });
  return { actions, told: () => command.mock.calls.map((call) => call.arguments) };
}

test("an interrupt names the turn that is meant, so that it cannot hit the next one", async () => {
  const { actions, told } = build();
  assert.equal(await actions.interrupt(SID, "t1"), true);
  assert.deepEqual(told(), [["interrupt", { sessionId: SID, turnId: "t1" }, "c1"]]);
});

test("an interrupt of a prompt that has no turn yet names none", async () => {
  const { actions, told } = build();
  await actions.interrupt(SID, null);
  assert.deepEqual(told(), [["interrupt", { sessionId: SID }, "c1"]]);
});

test("a stop names the agent, never a turn", async () => {
  const { actions, told } = build();
  await actions.stop(SID);
  assert.deepEqual(told(), [["stop", { sessionId: SID }, "c1"]]);
});
