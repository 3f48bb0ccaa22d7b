/**
 * The records of a snapshot, each made of one event.
 *
 * @typedef {import("./fold.js").Message} Message
 * @typedef {import("./fold.js").Block} Block
 * @typedef {import("./fold.js").Permission} Permission
 */

export const NO_USAGE = Object.freeze({
  inputTokens: 0,
  outputTokens: 0,
  costUsd: 0,
  contextWindow: null,
});

/** Fields that a record has when its event has them. */
export const OF_A_PROMPT = ["attachments", "mentions", "imported", "cut"];
const OF_AN_ANSWER = ["imported"];
const OF_A_TURN = ["origin", "model", "effort"];
const OF_A_BLOCK = ["parentToolId"];
const OF_A_QUESTION = ["digest", "cut"];
const OF_A_REQUEST = ["html", "diffs", "locations", "cut"];
export const OF_A_RESULT = ["tookMs", "diffs", "locations", "images", "resources"];

/** The named fields that an event has. @param {any} e @param {string[]} names */
export function told(e, names) {
  return Object.fromEntries(names.filter((name) => name in e).map((name) => [name, e[name]]));
}

/** @param {any} e @returns {NonNullable<import("./fold.js").Snapshot["turn"]>} */
export function turnOf(e) {
  return {
    turnId: e.turnId,
    clientMsgId: e.clientMsgId ?? null,
    ...told(e, OF_A_TURN),
  };
}

/** @param {any} e @returns {import("./fold.js").Question} */
export function questionOf(e) {
  return {
    questionId: e.questionId,
    title: e.title,
    schema: e.schema,
    expiresAt: e.expiresAt ?? null,
    url: e.url ?? null,
    seq: e.seq,
    ...told(e, OF_A_QUESTION),
  };
}

/** @param {any} e @returns {import("./fold.js").Snapshot["logIn"]} a log-in that the agent wants */
export function logInOf(e) {
  return e.needed ? { since: e.ts ?? "", ways: e.ways ?? [] } : null;
}

/** @param {any} e @returns {Message} */
export function promptOf(e) {
  return {
    messageId: e.messageId,
    role: "user",
    seq: e.seq,
    ts: e.ts ?? null,
    turnId: null,
    text: e.text,
    clientMsgId: e.clientMsgId,
    promptState: e.imported ? "answered" : "accepted",
    stopReason: null,
    error: null,
    usage: null,
    ...told(e, OF_A_PROMPT),
  };
}

/** @param {any} e @returns {import("./fold.js").Snapshot["queue"][0]} a prompt that waits */
export function queuedOf(e) {
  return { clientMsgId: e.clientMsgId, seq: e.seq };
}

/** @param {any} e @returns {Message} */
export function answerOf(e) {
  return {
    messageId: e.messageId,
    role: e.role ?? "assistant",
    seq: e.seq,
    ts: e.ts ?? null,
    turnId: e.turnId ?? null,
    blocks: [],
    ...told(e, OF_AN_ANSWER),
  };
}

/** @param {any} e @param {string} code @param {string} text @returns {Message} */
export function noticeOf(e, code, text) {
  return {
    messageId: `n${e.seq}`,
    role: "notice",
    seq: e.seq,
    ts: e.ts ?? null,
    turnId: null,
    code,
    text,
  };
}

/** @param {any} e @returns {Block} */
export function blockOf(e) {
  return {
    blockId: e.blockId,
    blockType: e.blockType,
    content: "",
    html: null,
    toolName: e.toolName ?? null,
    toolId: e.toolId ?? null,
    toolKind: e.toolKind ?? null,
    input: null,
    status: null,
    result: null,
    done: false,
    ...told(e, OF_A_BLOCK),
  };
}

/** @param {any} e @returns {Permission} */
export function permissionOf(e) {
  return {
    permId: e.permId,
    toolName: e.toolName,
    title: e.title,
    input: e.input,
    options: e.options,
    expiresAt: e.expiresAt ?? null,
    toolId: e.toolId ?? null,
    toolKind: e.toolKind ?? null,
    digest: e.digest ?? null,
    seq: e.seq,
    ...told(e, OF_A_REQUEST),
  };
}

/** Every usage event is an increment; the context window is the last one told. */
export function addUsage(usage, event) {
  const before = usage ?? NO_USAGE;
  return {
    inputTokens: before.inputTokens + (event.inputTokens ?? 0),
    outputTokens: before.outputTokens + (event.outputTokens ?? 0),
    costUsd: before.costUsd + (event.costUsd ?? 0),
    contextWindow: event.contextWindow ?? before.contextWindow,
  };
}
