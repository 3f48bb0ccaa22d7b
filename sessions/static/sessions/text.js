/** The words of the page for a state, a code or a number. Pure. */

import { visible } from "./visible.js";

/** How a turn's end is told under its answer; the usual ends need no words. */
const ENDINGS = {
  interrupted: "You interrupted this answer.",
  max_tokens: "The answer reached the model’s length limit.",
  refusal: "The agent declined to answer.",
  error: "The agent reported an error.",
  agent_crashed: "The agent crashed in mid-answer.",
  server_restart: "A server restart interrupted this answer. It was not run again.",
};

const SKIP_REASONS = {
  max_replay_gap: "too many to replay",
  pruned: "no longer kept one by one",
  slow_reader: "this page could not keep up",
};

/** The ends that no person chose: their prompt is worth another try. */
const ACCIDENTS = new Set(["error", "agent_crashed", "server_restart"]);

/** @param {string|null} stopReason */
export function isAccident(stopReason) {
  return ACCIDENTS.has(stopReason ?? "");
}

/** @param {string|null} stopReason @returns {string|null} */
export function endingOf(stopReason) {
  if (!stopReason || stopReason === "end_turn") return null;
  return ENDINGS[stopReason] ?? `The turn ended: ${stopReason}.`;
}

const NEWS_CHARS = 140;

/** The news that is worth calling a person back for. @param {any} frame @returns {string} empty for everything else */
export function newsOf(frame) {
  if (frame.type === "permission_request")
    return visible(`Needs your decision: ${frame.title || frame.toolName}`).slice(0, NEWS_CHARS);
  return frame.type === "turn_end" ? (endingOf(frame.stopReason) ?? "Answered") : "";
}

/** @param {Pick<import("./store.js").Skip, "from"|"to"|"reason">} skip */
export function skipText({ from, to, reason }) {
  const count = to - from + 1;
  const why = SKIP_REASONS[reason] ?? reason;
  return `${formatCount(count)} ${count === 1 ? "event was" : "events were"} skipped while you were away (${why}).`;
}

/** @type {[one: string, types: string[], many?: string][]} */
const KINDS = [
  ["message", ["user_message", "message_start", "error", "interrupt_failed"]],
  ["piece of text", ["block_delta"], "pieces of text"],
  ["tool result", ["tool_result"]],
  ["permission request", ["permission_request"]],
];

/** @param {Record<string, number>} counts events by type */
export function loadedText(counts) {
  const all = Object.values(counts).reduce((sum, n) => sum + n, 0);
  const parts = KINDS.map(([one, types, many = `${one}s`]) => {
    const n = types.reduce((sum, type) => sum + (counts[type] ?? 0), 0);
    return n ? `${formatCount(n)} ${n === 1 ? one : many}` : "";
  }).filter(Boolean);
  const among = parts.length ? ` Among them: ${parts.join(", ")}.` : "";
  return `All ${formatCount(all)} skipped events are loaded.${among}`;
}

/**
 * Where a prompt is on its way: four steps, or where it stopped.
 * @param {string} state an outbox state or a promptState of the log
 * @param {string|null} [stopReason]
 * @param {boolean} [attempted] whether an earlier try of a prompt in the outbox may have reached the server
 * @returns {{step: number, label: string, kind: "way"|"done"|"stopped"}} step: 0 sending … 3 answered
 */
export function deliveryOf(state, stopReason = null, attempted = false) {
  if (state === "queued") return { step: 0, label: "Waiting to send", kind: "way" };
  if (state === "sending") return { step: 0, label: "Sending", kind: "way" };
  if (state === "accepted") return { step: 1, label: "Sent", kind: "way" };
  if (state === "dispatched") return { step: 2, label: "With the agent", kind: "way" };
  if (state === "answered") return { step: 3, label: "Answered", kind: "done" };
  if (state === "unseen") return { step: 3, label: "Ended while you were away", kind: "done" };
  if (state === "evicted")
    return { step: 0, label: attempted ? "Perhaps not sent" : "Not sent", kind: "stopped" };
  if (stopReason === "server_restart")
    return { step: 2, label: "Interrupted by a restart", kind: "stopped" };
  if (stopReason === "agent_crashed")
    return { step: 2, label: "The agent crashed", kind: "stopped" };
  if (state === "interrupted") return { step: 2, label: "Interrupted", kind: "done" }; // as the person wished
  return { step: stopReason ? 2 : 0, label: "Failed", kind: "stopped" };
}

/** A note on a prompt in the outbox. @param {any} entry @returns {string} empty when there is nothing */
export function outboxText({ state, attempted, error }) {
  if (state === "failed" || state === "evicted") return error ?? "";
  return attempted && state !== "accepted" ? "It may have reached the server." : "";
}

const RUN_STATES = { running: "Working", requires_action: "Waits for your decision" };

/** @returns {string} the activity of a session, for its dot and the header */
export function activityOf(state, runState) {
  if (RUN_STATES[runState]) return RUN_STATES[runState];
  if (state === "STARTING" || state === "CREATED") return "Agent starting";
  if (state === "CLOSING") return "Agent finishing";
  return state === "ENDED" ? "Agent not running" : "Ready";
}

/** Why a permission cannot be answered any more. @param {any} resolved @param {any[]} options of the request */
export function decidedText({ decision, by, reason }, options) {
  if (reason !== "answered") return `It was too late: the request had ended (${reason}).`;
  const label = options.find((option) => option.id === decision)?.label ?? decision;
  return `It was decided first by ${by}: ${label}.`;
}

export function formatCount(n) {
  return n.toLocaleString("en");
}

/** 1234 → 1.2k: for numbers that are only to be compared. */
export function shortCount(n) {
  if (n < 1_000) return String(n);
  if (n < 1_000_000) return `${(n / 1_000).toFixed(n < 10_000 ? 1 : 0)}k`;
  return `${(n / 1_000_000).toFixed(1)}M`;
}

/** @param {any} usage @returns {string} empty without usage */
export function usageText(usage) {
  if (!usage || (!usage.inputTokens && !usage.outputTokens)) return "";
  const parts = [
    `${shortCount(usage.inputTokens)} ${usage.inputTokens === 1 ? "token" : "tokens"} in`,
    `${shortCount(usage.outputTokens)} out`,
  ];
  if (usage.costUsd)
    parts.push(`$${usage.costUsd < 0.01 ? usage.costUsd.toFixed(4) : usage.costUsd.toFixed(2)}`);
  if (usage.contextWindow) parts.push(`context of ${shortCount(usage.contextWindow)}`);
  return parts.join(" · ");
}

/** @param {number} ms @returns {string} 4:05, 1:02:09 */
export function clockText(ms) {
  const s = Math.max(0, Math.round(ms / 1_000));
  const pad = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(s / 3_600);
  const minutes = Math.floor((s % 3_600) / 60);
  return hours ? `${hours}:${pad(minutes)}:${pad(s % 60)}` : `${minutes}:${pad(s % 60)}`;
}

/** @param {string|null} ts @param {number} now @returns {string} now, 5 min, 3 h, 12 Nov */
export function agoText(ts, now) {
  const at = ts ? Date.parse(ts) : NaN;
  if (!Number.isFinite(at)) return "";
  const minutes = Math.floor((now - at) / 60_000);
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h`;
  return new Date(at).toLocaleDateString(undefined, { day: "numeric", month: "short" });
}

/** @param {string|null} ts @param {number} now the server's time @returns {string} with its day when that is past */
export function timeText(ts, now) {
  const at = ts ? new Date(ts) : null;
  if (!at || Number.isNaN(at.getTime())) return "";
  const sameDay = at.toDateString() === new Date(now).toDateString();
  const time = at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  return sameDay
    ? time
    : `${at.toLocaleDateString(undefined, { day: "numeric", month: "short" })}, ${time}`;
}

/** A time in full, with its day. */
export function momentText(ts) {
  const at = ts ? new Date(ts) : null;
  return at && !Number.isNaN(at.getTime())
    ? at.toLocaleString(undefined, { dateStyle: "full", timeStyle: "medium" })
    : "";
}

const LONG_CHARS = 1_500;
const LONG_LINES = 16;

/** A prompt that would fill the window. @param {string} text */
export function isLong(text) {
  return text.length > LONG_CHARS || text.split("\n", LONG_LINES + 1).length > LONG_LINES;
}

/** The text of an answer, as its agent wrote it. @param {any} message @returns {string} empty when it says nothing */
export function answerText({ blocks }) {
  return blocks
    .filter((block) => block.blockType === "text")
    .map((block) => block.content)
    .join("\n\n")
    .trim();
}

/** An input or result of a tool, readable: a command as it is typed, other things as indented JSON. */
export function readable(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (typeof value === "object" && !Array.isArray(value)) {
    const keys = Object.keys(value);
    if (!keys.length) return "";
    if (keys.length === 1 && typeof value[keys[0]] === "string") return value[keys[0]];
  }
  return JSON.stringify(value, null, 2);
}

/** A wait that is over in a moment needs no button: it would be gone before it is reached. */
const WORTH_ASKING_MS = 1_500;

/** Whether a person may want the next try at once. @param {import("../../../transport/static/transport/stream.js").StreamStatus} status */
export function canHurry(status, now) {
  if (status.state !== "waiting" || status.isForeign) return false; // a reload is offered then
  return status.retryAt !== null && status.retryAt - now > WORTH_ASKING_MS;
}

/** @param {import("../../../transport/static/transport/stream.js").StreamStatus} status @param {boolean} online */
export function lineText(status, online, now) {
  if (status.state === "live") return { kind: "live", label: "Live" };
  if (status.state === "unauthorised") return { kind: "out", label: "Signed out" };
  if (status.isForeign) return { kind: "foreign", label: "Blocked" };
  const since = status.downSince ? ` for ${clockText(now - status.downSince)}` : "";
  if (!online) return { kind: "offline", label: `Offline${since}` };
  if (!status.downSince && status.state === "connecting")
    return { kind: "connecting", label: "Connecting" };
  return { kind: "reconnecting", label: `Reconnecting${since}` };
}

/** A prompt that will not go out by itself. @param {{state: string}} entry of the outbox */
export function isUnsent({ state }) {
  return state === "failed" || state === "evicted";
}

/** The sentence of each standing but "in". @type {Record<string, string>} */
const STANDINGS = {
  out: "You are signed out.",
  token:
    "The server does not accept this page’s security token. Reload the page, and allow cookies for this address.",
  origin: "The server does not accept requests from this address.",
  foreign:
    "Another server answers in Backstay’s place, such as the log-in page of a proxy. Reload the page to see it.",
};

/**
 * @param {import("./standing.js").Standing} standing @param {string} told the server's own sentence
 * @param {number} pending prompts that wait @param {boolean} persistent whether the browser keeps them over a reload
 * @returns {string} empty when all is well
 */
export function standingText(standing, told, pending, persistent) {
  const prompts = pending === 1 ? "One prompt waits" : `${pending} prompts wait`;
  if (standing !== "in") {
    const sentence = (standing === "origin" && told) || STANDINGS[standing];
    return pending ? `${sentence} ${prompts} in this tab and will be sent then.` : sentence;
  }
  if (persistent || !pending) return "";
  return "This browser keeps no storage for the page: prompts that wait are lost when the tab is closed.";
}

/** The place of a chat that cannot be shown. @param {string|null} code of the refusal */
export function goneText(code) {
  if (code === "too_many_watches") {
    return {
      title: "Too many chats are open",
      text: "This browser follows as many chats at once as the server allows. Close a tab of Backstay, then reload this one.",
    };
  }
  return {
    title: "This chat is not here",
    text: "It does not exist, or it belongs to another account.",
  };
}
