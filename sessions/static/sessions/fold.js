/**
 * The fold: events → transcript and run state, pure.
 *
 * The same rules as sessions/eventlog/fold.py; both are held to one golden file of recorded turns
 * (tests/golden/turns.json). A state is a snapshot (docs/reference/events.md); nothing in it is
 * ever changed in place, so a view may compare by reference to find the parts that have changed.
 *
 * @typedef {{blockId: string, blockType: string, content: string, html: string|null,
 *   toolName: string|null, toolId: string|null, toolKind: string|null, input: any,
 *   status: string|null, result: any, done: boolean}} Block
 * @typedef {{messageId: string, role: "user"|"assistant"|"notice", seq: number, ts: string|null,
 *   turnId: string|null, [field: string]: any}} Message
 * @typedef {{permId: string, toolName: string, title: string, input: any, options: {id: string,
 *   kind: string, label: string}[], expiresAt: string|null, toolId: string|null, seq: number}} Permission
 * @typedef {{sessionId: string, cursor: number, state: string, runState: string, title: string,
 *   agent: string, mode: string, modes: {id: string, label?: string}[], messages: Message[],
 *   current: Message|null, permissions: Permission[], turn: {turnId: string, clientMsgId: string}|null,
 *   usage: any, oldestSeq?: number|null, hasMore?: boolean}} Snapshot
 * @typedef {{type: string, sessionId: string, seq?: number, ts?: string, [field: string]: any}} Envelope
 */

/** A prompt's last state by the way its turn ended; every other reason is a failure. */
const PROMPT_STATE = {
  end_turn: "answered",
  max_tokens: "answered",
  refusal: "answered",
  interrupted: "interrupted",
  server_restart: "interrupted",
};

const NO_USAGE = Object.freeze({
  inputTokens: 0,
  outputTokens: 0,
  costUsd: 0,
  contextWindow: null,
});

/**
 * The state of a session before its first event.
 * @param {string} sessionId
 * @returns {Snapshot}
 */
export function emptySnapshot(sessionId) {
  return {
    sessionId,
    cursor: 0,
    state: "CREATED",
    runState: "idle",
    title: "",
    agent: "",
    mode: "",
    modes: [],
    messages: [],
    current: null,
    permissions: [],
    turn: null,
    usage: NO_USAGE,
  };
}

/**
 * The state one event later. An unknown type moves the cursor alone.
 * @param {Snapshot} state
 * @param {Envelope} event
 * @returns {Snapshot}
 */
export function fold(state, event) {
  const rule = Object.hasOwn(RULES, event.type) ? RULES[event.type] : null;
  return { ...state, ...rule?.(state, event), cursor: event.seq ?? state.cursor };
}

/** @type {Record<string, (state: Snapshot, event: Envelope) => Partial<Snapshot>>} */
const RULES = {
  session_created: (_, e) => ({ title: e.title, agent: e.agent, mode: e.mode }),
  session_state_changed: (_, e) => ({ state: e.state }),
  user_message: (s, e) => ({ messages: inOrder(s.messages, promptOf(e)) }),
  turn_start: (s, e) => ({
    turn: { turnId: e.turnId, clientMsgId: e.clientMsgId },
    runState: "running",
    messages: replaceLast(
      s.messages,
      (message) => message.clientMsgId === e.clientMsgId,
      () => ({ turnId: e.turnId, promptState: "dispatched" }),
    ),
  }),
  message_start: (_, e) => ({ current: answerOf(e) }),
  block_start: (s, e) => inCurrent(s, e.messageId, (blocks) => [...blocks, blockOf(e)]),
  block_delta: (s, e) => inBlock(s, e, (block) => ({ content: block.content + e.delta })),
  block_end: (s, e) =>
    inBlock(s, e, () => ({
      content: e.content,
      html: e.html ?? null,
      input: e.input ?? null,
      done: true,
    })),
  tool_update: (s, e) =>
    inCurrent(s, e.messageId, (blocks) =>
      replaceLast(
        blocks,
        (block) => block.toolId === e.toolId,
        (block) => ({
          toolName: e.toolName ?? block.toolName,
          toolKind: e.toolKind ?? block.toolKind,
          content: e.title ?? block.content,
          input: e.input === undefined ? block.input : e.input,
        }),
      ),
    ),
  tool_result: (s, e) =>
    inCurrent(s, e.messageId, (blocks) =>
      replaceLast(
        blocks,
        (block) => block.toolId === e.toolId,
        () => ({ status: e.status, result: e.content }),
      ),
    ),
  message_end: (s, e) =>
    s.current?.messageId === e.messageId
      ? { current: null, messages: inOrder(s.messages, s.current) }
      : {},
  permission_request: (s, e) => ({
    permissions: [...s.permissions, permissionOf(e)],
    runState: "requires_action",
  }),
  permission_resolved: (s, e) => {
    const permissions = s.permissions.filter((open) => open.permId !== e.permId);
    const runState = permissions.length ? "requires_action" : s.turn ? "running" : "idle";
    return { permissions, runState };
  },
  usage: (s, e) => ({
    usage: addUsage(s.usage, e),
    messages: replaceLast(s.messages, isPromptOf(e.turnId), (prompt) => ({
      usage: addUsage(prompt.usage, e),
    })),
  }),
  turn_end: (s, e) => ({
    turn: null,
    runState: "idle",
    permissions: [],
    messages: replaceLast(s.messages, isPromptOf(e.turnId), () => ({
      promptState: PROMPT_STATE[e.stopReason] ?? "failed",
      stopReason: e.stopReason,
      error: e.error ?? null,
    })),
  }),
  agent_started: (_, e) => ({ modes: e.modes }),
  mode_changed: (_, e) => ({ mode: e.mode }),
  title_changed: (_, e) => ({ title: e.title }),
  error: (s, e) => ({ messages: inOrder(s.messages, noticeOf(e)) }),
  interrupt_failed: (s, e) => ({ messages: inOrder(s.messages, noticeOf(e)) }),
};

/** @returns {Message} */
function promptOf(e) {
  return {
    messageId: e.messageId,
    role: "user",
    seq: e.seq,
    ts: e.ts ?? null,
    turnId: null,
    text: e.text,
    clientMsgId: e.clientMsgId,
    promptState: "accepted",
    stopReason: null,
    error: null,
    usage: null,
  };
}

/** @returns {Message} */
function answerOf(e) {
  return {
    messageId: e.messageId,
    role: e.role ?? "assistant",
    seq: e.seq,
    ts: e.ts ?? null,
    turnId: e.turnId ?? null,
    blocks: [],
  };
}

/** @returns {Message} */
function noticeOf(e) {
  return {
    messageId: `n${e.seq}`,
    role: "notice",
    seq: e.seq,
    ts: e.ts ?? null,
    turnId: null,
    code: e.code,
    text: e.error,
  };
}

/** @returns {Block} */
function blockOf(e) {
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
  };
}

/** @returns {Permission} */
function permissionOf(e) {
  return {
    permId: e.permId,
    toolName: e.toolName,
    title: e.title,
    input: e.input,
    options: e.options,
    expiresAt: e.expiresAt ?? null,
    toolId: e.toolId ?? null,
    seq: e.seq,
  };
}

/** Messages with one more, by seq. The common case is the end of the list. */
function inOrder(messages, message) {
  const at = messages.findLastIndex((other) => other.seq < message.seq) + 1;
  return [...messages.slice(0, at), message, ...messages.slice(at)];
}

/** The youngest match changed; the match is nearly always the last. The same list when nothing matches. */
function replaceLast(list, matches, change) {
  const at = list.findLastIndex(matches);
  if (at < 0) return list;
  const copy = list.slice();
  copy[at] = { ...list[at], ...change(list[at]) };
  return copy;
}

function isPromptOf(turnId) {
  return (message) => message.role === "user" && turnId !== undefined && message.turnId === turnId;
}

function inCurrent(state, messageId, change) {
  if (state.current?.messageId !== messageId) return {};
  return { current: { ...state.current, blocks: change(state.current.blocks) } };
}

function inBlock(state, event, change) {
  return inCurrent(state, event.messageId, (blocks) =>
    replaceLast(blocks, (block) => block.blockId === event.blockId, change),
  );
}

/** Every usage event is an increment; the context window is the last one told. */
function addUsage(usage, event) {
  const before = usage ?? NO_USAGE;
  return {
    inputTokens: before.inputTokens + (event.inputTokens ?? 0),
    outputTokens: before.outputTokens + (event.outputTokens ?? 0),
    costUsd: before.costUsd + (event.costUsd ?? 0),
    contextWindow: event.contextWindow ?? before.contextWindow,
  };
}
