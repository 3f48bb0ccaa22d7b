import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { answerText, readable } from "../../sessions/static/sessions/words/answer-text.js";
import {
  canHurry,
  isStale,
  lineText,
} from "../../sessions/static/sessions/words/connection-text.js";
import { usageText } from "../../sessions/static/sessions/words/counts.js";
import { loadedText, skipText } from "../../sessions/static/sessions/words/skip-text.js";
import {
  activityOf,
  decidedText,
  deliveryOf,
  isLong,
  outboxText,
  setUpText,
} from "../../sessions/static/sessions/words/text.js";
import { agoText, clockText } from "../../sessions/static/sessions/words/times.js";

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
      [line({ state: "waiting", downSince: NOW - 65_000 }), true, "Reconnecting", "for 1:05"],
      [line({ state: "waiting", downSince: NOW - 5_000 }), false, "Offline", "for 0:05"],
      [line(), false, "Live"], // a server on this machine needs no network
      [line({ state: "unauthorised" }), true, "Signed out"],
    ];
    for (const [status, online, label, since] of cases) {
      const told = lineText(status, online, NOW);
      assert.deepEqual([told.label, told.since], [label, since]);
    }
    assert.equal(lineText(line(), true, NOW, false).kind, "loading");
  });

  test("are stale while the line is down, but for a moment", () => {
    const cases = [
      [line(), false, false],
      [line({ state: "connecting" }), true, false], // the first time
      [line({ state: "waiting" }), true, true], // the server was never there
      [line({ state: "waiting", downSince: NOW - 900 }), true, false],
      [line({ state: "connecting", downSince: NOW - 1_000 }), true, true],
      [line({ state: "waiting", downSince: NOW }), false, true],
      [line({ state: "unauthorised" }), true, true],
    ];
    for (const [status, online, stale] of cases)
      assert.equal(isStale(status, online, NOW), stale, JSON.stringify(status));
    assert.equal(activityOf("ACTIVE", "running", true), "Last seen at work");
    assert.equal(activityOf("ACTIVE", "running", true, "0:12"), "Last seen at work 0:12 ago");
    assert.equal(activityOf("ACTIVE", "requires_action", true), "Waits for your decision");
  });

  test("tell a doubt after a POST without an answer alone", () => {
    const waiting = { state: "queued", attempted: true, unanswered: false, error: null };
    assert.equal(outboxText(waiting), "");
    assert.match(outboxText({ ...waiting, unanswered: true }), /^No answer from the server yet/);
    assert.equal(outboxText({ ...waiting, unanswered: true, state: "accepted" }), "");
    assert.equal(outboxText({ ...waiting, state: "failed", error: "Too large." }), "Too large.");
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
    assert.equal(deliveryOf("dispatched").label, ""); // the answer shows it
    assert.equal(deliveryOf("interrupted", "server_restart").label, "Interrupted by a restart");
    assert.equal(deliveryOf("failed", "agent_crashed").label, "The agent crashed");
    assert.equal(deliveryOf("failed").step, 0); // refused: it never left
    assert.equal(deliveryOf("evicted").label, "Not sent");
    assert.equal(deliveryOf("evicted", null, true).label, "Perhaps not sent"); // an earlier try may have arrived
    assert.equal(deliveryOf("queued", null, true).label, "Waiting to send");
    const places = [1, 2, 3, 11, 22].map((place) => deliveryOf("accepted", null, false, place));
    assert.deepEqual(
      places.map(({ label }) => label),
      ["Sent", "Queued, 2nd", "Queued, 3rd", "Queued, 11th", "Queued, 22nd"],
    );
  });

  test("name the agents that can be set up", () => {
    const told = [["Codex"], ["Claude Code", "Codex"], ["Claude Code", "Codex", "opencode"]];
    assert.deepEqual(told.map(setUpText), [
      "Set up Codex",
      "Set up Claude Code, Codex",
      "Set up Claude Code, Codex, …",
    ]);
  });

  test("count what was skipped and what was loaded", () => {
    const told = [
      skipText({ from: 5, to: 5, reason: "pruned" }),
      skipText({ from: 1, to: 1_204, reason: "max_replay_gap" }),
      skipText({ from: 1, to: 2, reason: "slow_reader" }),
    ];
    assert.deepEqual(told, [
      "1 update came while you were away.",
      "1,204 updates came while you were away.",
      "2 updates came faster than this page took them.",
    ]);
    assert.equal(loadedText({ title_changed: 1 }), "1 update is shown.");
    assert.equal(
      loadedText({ user_message: 1, block_delta: 2 }),
      "3 updates are shown. Among them: 1 message, 2 pieces of text.",
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
