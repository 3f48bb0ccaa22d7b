import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  agoText,
  answerText,
  canHurry,
  clockText,
  decidedText,
  deliveryOf,
  isLong,
  lineText,
  loadedText,
  readable,
  skipText,
  usageText,
} from "../../sessions/static/sessions/text.js";

const NOW = Date.parse("2026-11-23T08:00:00Z");
const line = (more) => ({
  state: "live",
  connectionId: null,
  downSince: null,
  retryAt: null,
  reason: "",
  ...more,
});

describe("the words of the page", () => {
  test("tell the truth about the line", () => {
    const cases = [
      [line(), true, "Live"],
      [line({ state: "connecting" }), true, "Connecting"],
      [line({ state: "waiting", downSince: NOW - 65_000 }), true, "Reconnecting for 1:05"],
      [line({ state: "waiting", downSince: NOW - 5_000 }), false, "Offline for 0:05"],
      [line(), false, "Live"], // a server on this machine needs no network
      [line({ state: "unauthorised" }), true, "Signed out"],
    ];
    for (const [status, online, label] of cases)
      assert.equal(lineText(status, online, NOW).label, label);
  });

  test("offer the next try at once while it is some way off", () => {
    assert.equal(canHurry(line({ state: "waiting", retryAt: NOW + 20_000 }), NOW), true);
    assert.equal(canHurry(line({ state: "waiting", retryAt: NOW + 500 }), NOW), false);
    assert.equal(canHurry(line({ state: "connecting", retryAt: null }), NOW), false);
    assert.equal(canHurry(line(), NOW), false);
  });

  test("tell where a prompt is", () => {
    const steps = ["queued", "sending", "accepted", "dispatched", "answered"].map((state) =>
      deliveryOf(state),
    );
    assert.deepEqual(
      steps.map(({ step }) => step),
      [0, 0, 1, 2, 3],
    );
    assert.equal(deliveryOf("interrupted", "server_restart").label, "Interrupted by a restart");
    assert.equal(deliveryOf("failed", "agent_crashed").label, "The agent crashed");
    assert.equal(deliveryOf("failed").step, 0); // refused: it never left
    assert.equal(deliveryOf("evicted").label, "Not sent");
    assert.equal(deliveryOf("evicted", null, true).label, "Perhaps not sent"); // an earlier try may have arrived
    assert.equal(deliveryOf("queued", null, true).label, "Waiting to send");
  });

  test("count what was skipped and what was loaded", () => {
    assert.match(
      skipText({ from: 5, to: 5, reason: "pruned" }),
      /^1 event was skipped .*no longer kept/,
    );
    assert.match(
      skipText({ from: 1, to: 6000, reason: "max_replay_gap" }),
      /^6,000 events were skipped/,
    );
    assert.equal(loadedText({ title_changed: 3 }), "All 3 skipped events are loaded.");
    assert.equal(
      loadedText({ user_message: 1, block_delta: 2 }),
      "All 3 skipped events are loaded. Among them: 1 message, 2 pieces of text.",
    );
  });

  test("say who decided first, or why nobody can any more", () => {
    const options = [{ id: "a", label: "Allow once" }];
    assert.equal(
      decidedText({ decision: "a", by: "bea", reason: "answered" }, options),
      "It was decided first by bea: Allow once.",
    );
    assert.match(
      decidedText({ decision: "cancelled", by: "server", reason: "timeout" }, options),
      /timeout/,
    );
  });

  test("are short about time, tokens and inputs", () => {
    assert.equal(clockText(3_725_000), "1:02:05");
    assert.equal(agoText("2026-11-23T07:58:00Z", NOW), "2 min");
    assert.equal(agoText("not a time", NOW), "");
    assert.equal(
      usageText({ inputTokens: 1, outputTokens: 12_345, costUsd: 0.0042, contextWindow: 200_000 }),
      "1 token in · 12k out · $0.0042 · context of 200k",
    );
    assert.equal(usageText({ inputTokens: 0, outputTokens: 0 }), "");
    assert.equal(readable({ command: "ls -l" }), "ls -l");
    assert.equal(readable({ path: "a", line: 3 }), '{\n  "path": "a",\n  "line": 3\n}');
    assert.equal(readable(null), "");
  });

  test("know a long prompt, and what an answer says", () => {
    assert.deepEqual(
      ["x".repeat(1_500), "x".repeat(1_501), "\n".repeat(15), "\n".repeat(16)].map(isLong),
      [false, true, false, true],
    );
    const blocks = [
      { blockType: "thinking", content: "hm" },
      { blockType: "text", content: "one" },
      { blockType: "text", content: "two" },
    ];
    assert.equal(answerText({ blocks }), "one\n\ntwo");
    assert.equal(answerText({ blocks: [] }), "");
  });
});
