/**
 * The fold: events → transcript and run state, pure.
 *
 * The same rules as sessions/eventlog/fold.py; both are held to one golden file of recorded turns
 * (tests/golden/turns.json). A state is a snapshot (docs/reference/events.md); nothing in it is
 * ever changed in place, so a view may compare by reference to find the parts that have changed.
 *
 * @typedef {{blockId: string, blockType: string, content: string, html: string|null,
 *   toolName: string|null, toolId: string|null, toolKind: string|null, input: any,
 *   status: string|null, result: any, done: boolean, tookMs?: number, parentToolId?: string, diffs?: Diff[],
 *   locations?: {path: string, line?: number}[], images?: {blob: string, mime: string}[],
 *   resources?: {uri: string, mime: string, text?: string, blob?: string, cut?: number}[],
 *   cut?: Record<string, number>}} Block cut: the whole sizes, in bytes, of the parts that are not whole
 * @typedef {{path: string, oldText: string|null, newText: string, cut?: number}} Diff
 * @typedef {{messageId: string, role: "user"|"assistant"|"notice", seq: number, ts: string|null,
 *   turnId: string|null, [field: string]: any}} Message
 * @typedef {{permId: string, toolName: string, title: string, input: any, options: {id: string,
 *   kind: string, label: string}[], expiresAt: string|null, toolId: string|null, toolKind: string|null,
 *   digest: string|null, seq: number, html?: string|null, diffs?: Diff[], locations?: {path: string, line?: number}[],
 *   cut?: Record<string, number>}} Permission
 * @typedef {{questionId: string, title: string, schema: any, expiresAt: string|null, url: string|null,
 *   seq: number, digest?: string, cut?: Record<string, number>}} Question
 * @typedef {{id: string, category: string, label: string, kind: "select"|"boolean", value: string|boolean,
 *   choices: {id: string, label: string, group?: string}[]}} ConfigOption
 * @typedef {{name: string, description: string, hint: string}} AgentCommand
 * @typedef {import("./rewinding.js").Rewind} Rewind
 * @typedef {{sessionId: string, cursor: number, state: string, runState: string, title: string,
 *   agent: string, mode: string, modes: {id: string, label?: string}[], messages: Message[],
 *   current: Message|null, permissions: Permission[], questions: Question[],
 *   turn: {turnId: string, clientMsgId: string|null, origin?: string, model?: string}|null,
 *   queue: {clientMsgId: string, seq: number}[], rewinds: Rewind[], usage: any, context: {used: number, size: number}|null, options: ConfigOption[],
 *   commands: AgentCommand[], logIn: {since: string, ways: string[]}|null, oldestSeq?: number|null, hasMore?: boolean}} Snapshot
 * @typedef {{type: string, sessionId: string, seq?: number, ts?: string, [field: string]: any}} Envelope
 */

import { inMode, withValue } from "./folded-options.js";
import { grown, marked } from "../words/marks.js";
import {
  addUsage,
  answerOf,
  blockOf,
  logInOf,
  NO_USAGE,
  noticeOf,
  OF_A_PROMPT,
  OF_A_RESULT,
  permissionOf,
  promptOf,
  questionOf,
  queuedOf,
  told,
  turnOf,
} from "./records.js";
import { rewindsAfter, withMark } from "./rewinding.js";

/** A prompt's last state by the way its turn ended; every other reason is a failure. */
const PROMPT_STATE = {
  end_turn: "answered",
  max_tokens: "answered",
  refusal: "answered",
  interrupted: "interrupted",
  server_restart: "interrupted",
};

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
    questions: [],
    turn: null,
    queue: [],
    rewinds: [],
    usage: NO_USAGE,
    context: null,
    options: [],
    commands: [],
    logIn: null,
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
  user_message: (s, e) => ({
    queue: e.imported ? s.queue : [...s.queue, queuedOf(e)],
    messages: inOrder(s.messages, promptOf(e)),
  }),
  prompt_withdrawn: (s, e) => ({
    queue: without(s.queue, e.clientMsgId),
    messages: replaceLast(s.messages, isPrompt(e.clientMsgId), (prompt) => ({
      ...prompt,
      promptState: "withdrawn",
    })),
  }),
  prompt_edited: (s, e) => ({
    messages: replaceLast(s.messages, isPrompt(e.clientMsgId), (prompt) => edited(prompt, e)),
  }),
  checkpoint_made: (s, e) => ({
    messages: replaceLast(s.messages, isPrompt(e.clientMsgId), (prompt) => ({
      ...prompt,
      checkpointId: e.checkpointId,
    })),
  }),
  rewound: (s, e) => {
    const rewinds = rewindsAfter(s.rewinds ?? [], e);
    return { rewinds, messages: s.messages.map((message) => withMark(message, rewinds)) };
  },
  restored: (s, e) => ({ messages: inOrder(s.messages, noticeOf(e, e.type, e.text)) }),
  queue_reordered: (s, e) => ({ queue: reordered(s.queue, e.clientMsgIds) }),
  turn_start: (s, e) => ({
    turn: turnOf(e),
    runState: "running",
    queue: without(s.queue, e.clientMsgId),
    messages: replaceLast(s.messages, isPrompt(e.clientMsgId), (prompt) => ({
      ...prompt,
      turnId: e.turnId,
      promptState: "dispatched",
    })),
  }),
  message_start: (_, e) => ({ current: answerOf(e) }),
  block_start: (s, e) => inCurrent(s, e.messageId, (blocks) => [...blocks, blockOf(e)]),
  block_delta: (s, e) => inBlock(s, e, (block) => grown(block, e, "content")),
  block_end: (s, e) =>
    inBlock(s, e, (block) =>
      marked(
        {
          ...block,
          content: e.content,
          html: e.html ?? null,
          input: e.input ?? null,
          done: true,
        },
        { content: e.cut?.content, html: e.cut?.html, input: e.cut?.input },
      ),
    ),
  tool_update: (s, e) => inTool(s, e, (block) => updated(block, e)),
  tool_output: (s, e) => inTool(s, e, (block) => grown(block, e, "result")),
  tool_result: (s, e) => inTool(s, e, (block) => ended(block, e)),
  message_end: (s, e) =>
    s.current?.messageId === e.messageId
      ? { current: null, messages: inOrder(s.messages, s.current) }
      : {},
  permission_request: (s, e) => waiting({ ...s, permissions: [...s.permissions, permissionOf(e)] }),
  permission_resolved: (s, e) =>
    waiting({ ...s, permissions: s.permissions.filter((open) => open.permId !== e.permId) }),
  question_asked: (s, e) => waiting({ ...s, questions: [...s.questions, questionOf(e)] }),
  question_answered: (s, e) =>
    waiting({ ...s, questions: s.questions.filter((open) => open.questionId !== e.questionId) }),
  usage: (s, e) => ({
    usage: addUsage(s.usage, e),
    messages: replaceLast(s.messages, isPromptOf(e.turnId), (prompt) => ({
      ...prompt,
      usage: addUsage(prompt.usage, e),
    })),
  }),
  turn_end: (s, e) => ({
    turn: null,
    runState: "idle",
    permissions: [],
    questions: [],
    messages: replaceLast(s.messages, isPromptOf(e.turnId), (prompt) => ({
      ...prompt,
      promptState: PROMPT_STATE[e.stopReason] ?? "failed",
      stopReason: e.stopReason,
      error: e.error ?? null,
    })),
  }),
  agent_started: (_, e) => ({ modes: e.modes }),
  mode_changed: (s, e) => ({ mode: e.mode, options: inMode(s.options, e.mode) }),
  options_offered: (_, e) => ({ options: e.options }),
  option_changed: (s, e) => withValue(s.options, e.optionId, e.value),
  commands_offered: (_, e) => ({ commands: e.commands }),
  context: (_, e) => ({ context: { used: e.used, size: e.size } }),
  log_in_changed: (_, e) => ({ logIn: logInOf(e) }),
  title_changed: (_, e) => ({ title: e.title }),
  error: (s, e) => ({ messages: inOrder(s.messages, noticeOf(e, e.code, e.error)) }),
  interrupt_failed: (s, e) => ({ messages: inOrder(s.messages, noticeOf(e, e.code, e.error)) }),
  notice: (s, e) => ({ messages: inOrder(s.messages, noticeOf(e, e.kind, e.text)) }),
};

/** The state with the run state of its open requests. @param {Snapshot} state @returns {Snapshot} */
function waiting(state) {
  const isAsked = state.permissions.length > 0 || state.questions.length > 0;
  return { ...state, runState: isAsked ? "requires_action" : state.turn ? "running" : "idle" };
}

/** A tool's block with the fields of a tool_update. */
function updated(block, e) {
  const sizes = {};
  if (e.title !== undefined) sizes.content = e.cut?.title;
  if (e.input !== undefined) sizes.input = e.cut?.input;
  return marked(
    {
      ...block,
      toolName: e.toolName ?? block.toolName,
      toolKind: e.toolKind ?? block.toolKind,
      content: e.title ?? block.content,
      input: e.input === undefined ? block.input : e.input,
    },
    sizes,
  );
}

/** A tool's block with the outcome of a tool_result. */
function ended(block, e) {
  const more = told(e, OF_A_RESULT);
  const sizes = { result: e.cut?.content };
  for (const name of Object.keys(more)) sizes[name] = e.cut?.[name];
  return marked({ ...block, status: e.status, result: e.content, ...more }, sizes);
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
  copy[at] = change(list[at]);
  return copy;
}

/** A waiting prompt with another text. */
function edited({ cut, ...prompt }, e) {
  return { ...prompt, text: e.text, version: e.version, ...told(e, OF_A_PROMPT) };
}

/** The prompts that wait, in the order of names; those without a name come last. */
function reordered(queue, names) {
  const place = new Map(names.map((name, number) => [name, number]));
  const placeOf = ({ clientMsgId }) => place.get(clientMsgId) ?? names.length;
  return [...queue].sort((a, b) => placeOf(a) - placeOf(b));
}

function without(queue, clientMsgId) {
  return queue.filter((each) => each.clientMsgId !== clientMsgId);
}

function isPrompt(clientMsgId) {
  return (message) => clientMsgId !== undefined && message.clientMsgId === clientMsgId;
}

function isPromptOf(turnId) {
  return (message) => message.role === "user" && turnId !== undefined && message.turnId === turnId;
}

function inCurrent(state, messageId, change) {
  if (state.current?.messageId !== messageId) return {};
  return { current: { ...state.current, blocks: change(state.current.blocks) } };
}

function inTool(state, event, change) {
  return inCurrent(state, event.messageId, (blocks) =>
    replaceLast(blocks, (block) => block.toolId === event.toolId, change),
  );
}

function inBlock(state, event, change) {
  return inCurrent(state, event.messageId, (blocks) =>
    replaceLast(blocks, (block) => block.blockId === event.blockId, change),
  );
}
