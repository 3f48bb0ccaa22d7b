/**
 * The part of each session that this tab holds: the folded snapshot, the older pages loaded into it, and its skips.
 * No DOM, no network; every change makes a new view object.
 *
 * @typedef {import("./fold.js").Snapshot} Snapshot
 * @typedef {{id: string, from: number, to: number, reason: string, before: Snapshot|null,
 *   state: "open"|"loading"|"loaded"|"failed", loaded: number, counts: Record<string, number>}} Skip
 *   before: the snapshot when the skip came; the skipped events are folded into it when they are loaded
 * @typedef {{snapshot: Snapshot, skips: Skip[], loadingOlder: boolean, ready: boolean, rejected: string|null,
 *   stopping: string|null}} View stopping: the turn whose stop was asked for, on any device
 */

import { emptySnapshot, fold } from "./fold.js";

/** The fields of a snapshot without messages: everything else came by replayed events. */
const TOLD_BY_PARTIAL = [
  "state",
  "runState",
  "permissions",
  "questions",
  "title",
  "agent",
  "mode",
  "modes",
  "usage",
  "context",
  "options",
  "commands",
  "turn",
  "queue",
  "rewinds",
];

export class Store {
  /** @type {Map<string, View>} */
  #views = new Map();

  /** @param {string} sessionId @returns {View|null} */
  get(sessionId) {
    return this.#views.get(sessionId) ?? null;
  }

  /** @returns {number|null} the cursor to watch from, null to begin with a snapshot */
  cursor(sessionId) {
    const view = this.get(sessionId);
    return view?.ready ? view.snapshot.cursor : null;
  }

  forget(sessionId) {
    this.#views.delete(sessionId);
  }

  /**
   * Applies a frame that the cursor rules let through.
   * @param {any} frame
   * @returns {View|null} the new view, null when the frame is about no session
   */
  apply(frame) {
    if (!frame.sessionId) return null;
    const view = this.get(frame.sessionId) ?? emptyView(frame.sessionId);
    return this.#put(frame.sessionId, withFrame(view, frame));
  }

  /** Finished messages from before the oldest one held. @param {{messages: any[], hasMore: boolean}} page */
  prepend(sessionId, page) {
    const view = this.get(sessionId);
    if (!view) return null;
    const messages = union(page.messages, view.snapshot.messages);
    const snapshot = {
      ...view.snapshot,
      messages,
      oldestSeq: messages[0]?.seq ?? null,
      hasMore: page.hasMore,
    };
    return this.#put(sessionId, { ...view, snapshot, loadingOlder: false });
  }

  /** @param {Partial<View>} change */
  update(sessionId, change) {
    const view = this.get(sessionId);
    return view && this.#put(sessionId, { ...view, ...change });
  }

  /** @param {string} skipId @param {Partial<Skip>} change */
  updateSkip(sessionId, skipId, change) {
    const view = this.get(sessionId);
    if (!view) return null;
    const skips = view.skips.map((skip) => (skip.id === skipId ? { ...skip, ...change } : skip));
    return this.#put(sessionId, { ...view, skips });
  }

  /**
   * Some of the skipped events have been read: they are folded into the snapshot before the skip,
   * and its finished messages join the transcript.
   * @param {string} skipId @param {any[]} events ascending
   * @returns {View|null}
   */
  fill(sessionId, skipId, events) {
    const view = this.get(sessionId);
    const skip = view?.skips.find((one) => one.id === skipId);
    if (!view || !skip) return null;
    const before = events.reduce(fold, skip.before ?? emptySnapshot(sessionId));
    const counts = { ...skip.counts };
    for (const { type } of events) counts[type] = (counts[type] ?? 0) + 1;
    const done = before.cursor >= skip.to || !events.length;
    const messages = union(before.messages, view.snapshot.messages);
    const snapshot = { ...view.snapshot, messages, oldestSeq: messages[0]?.seq ?? null };
    this.#put(sessionId, { ...view, snapshot });
    return this.updateSkip(sessionId, skipId, {
      before: done ? null : before,
      counts,
      loaded: skip.loaded + events.length,
      state: done ? "loaded" : "loading",
    });
  }

  /** Messages as the server has them now: of each the word that knows more is kept. @param {any[]} messages */
  learn(sessionId, messages) {
    const view = this.get(sessionId);
    return (
      view &&
      this.#put(sessionId, {
        ...view,
        snapshot: { ...view.snapshot, messages: union(messages, view.snapshot.messages) },
      })
    );
  }

  #put(sessionId, view) {
    this.#views.set(sessionId, view);
    return view;
  }
}

/**
 * The target of a stop: the turn that runs, else the prompt that runs next.
 * @param {Snapshot} snapshot
 * @returns {{clientMsgId: string, turnId: string|null}|null} the prompt, and its turn when it has begun
 */
export function stoppable({ turn, queue }) {
  if (turn) return { clientMsgId: turn.clientMsgId ?? "", turnId: turn.turnId };
  const [next] = queue;
  return next ? { clientMsgId: next.clientMsgId, turnId: null } : null;
}

/** The view of a session before its first frame. @returns {View} */
export function emptyView(sessionId) {
  const snapshot = { ...emptySnapshot(sessionId), oldestSeq: null, hasMore: false };
  return { snapshot, skips: [], loadingOlder: false, ready: false, rejected: null, stopping: null };
}

/** @param {View} view @returns {View} */
function withFrame(view, frame) {
  if (frame.type === "session_snapshot") return withSnapshot(view, frame);
  if (frame.type === "replay_skipped")
    return { ...view, skips: [...view.skips, skipOf(view, frame)] };
  if (frame.type === "watch_rejected") return { ...view, rejected: frame.code };
  if (frame.type === "rendered") return withRendered(view, frame);
  if (frame.seq === undefined) return view;
  const next = fold(view.snapshot, frame);
  const oldestSeq = next.oldestSeq ?? next.messages[0]?.seq ?? null;
  const stopping = frame.type === "interrupt_requested" ? (frame.turnId ?? null) : view.stopping;
  return { ...view, ready: true, rejected: null, stopping, snapshot: { ...next, oldestSeq } };
}

/**
 * HTML of an open block: of its beginning, or of the part behind the one that is held.
 * @param {View} view @param {any} frame @returns {View}
 */
function withRendered(view, { messageId, blockId, from, to, html }) {
  const { current } = view.snapshot;
  if (!current || current.messageId !== messageId) return view;
  const blocks = current.blocks.map((block) => {
    const held = from ? block.rendered : { to: 0, html: "" };
    if (block.blockId !== blockId || held?.to !== from) return block;
    return { ...block, rendered: { to, html: held.html + html } };
  });
  return { ...view, snapshot: { ...view.snapshot, current: { ...current, blocks } } };
}

/** @returns {Skip} */
function skipOf(view, { from, to, reason }) {
  return {
    id: `${from}-${to}`,
    from,
    to,
    reason,
    before: view.ready ? view.snapshot : null,
    state: "open",
    loaded: 0,
    counts: {},
  };
}

/**
 * A full snapshot replaces the held one, but for older finished messages: they are still true, and a person
 * may be reading them. An invalid cursor says that the held one is of another log: all of it goes.
 */
function withSnapshot(view, frame) {
  if (frame.full === false) {
    const told = Object.fromEntries(
      TOLD_BY_PARTIAL.filter((key) => key in frame).map((key) => [key, frame[key]]),
    );
    return { ...view, snapshot: { ...view.snapshot, ...told } };
  }
  const { v, type, seq, ts, full, cursorInvalid, ...told } = frame;
  const snapshot = { ...emptyView(frame.sessionId).snapshot, ...told };
  if (!cursorInvalid && view.ready) keepOlder(snapshot, view.snapshot);
  return { ...view, snapshot, skips: cursorInvalid ? [] : view.skips, ready: true, rejected: null };
}

function keepOlder(snapshot, held) {
  const older = held.messages
    .filter((message) => snapshot.oldestSeq === null || message.seq < snapshot.oldestSeq)
    .map((message) => settled(message, snapshot.turn));
  if (!older.length) return;
  snapshot.messages = union(older, snapshot.messages);
  snapshot.oldestSeq = snapshot.messages[0].seq;
  snapshot.hasMore = held.hasMore ?? false;
}

/** A prompt that was on its way when the skip came, and is not any more: how it ended lies in the skip. */
function settled(message, turn) {
  const open = message.promptState === "accepted" || message.promptState === "dispatched";
  return open && message.turnId !== turn?.turnId ? { ...message, promptState: "unseen" } : message;
}

/** How far a prompt is known to have come; an end that was not seen tells least. */
const KNOWN = { unseen: 0, accepted: 1, dispatched: 2 };
const known = ({ promptState }) => KNOWN[promptState] ?? 3;

/** Both lists by seq, each message once: the one that knows more, of equals the second list's. */
function union(older, newer) {
  const byId = new Map(older.map((message) => [message.messageId, message]));
  for (const message of newer) {
    const other = byId.get(message.messageId);
    if (!other || known(message) >= known(other)) byId.set(message.messageId, message);
  }
  return [...byId.values()].sort((a, b) => a.seq - b.seq);
}
