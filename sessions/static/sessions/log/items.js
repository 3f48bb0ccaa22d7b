/**
 * The items of the transcript, from top to bottom. Pure: a list of keyed items for transcript.js.
 *
 * The log's order is by seq; a person reads by turns. A prompt that was queued while an answer ran stands in
 * the log in the middle of that answer, and is shown behind it.
 *
 * @typedef {{key: string, kind: "message"|"pending"|"skip"|"ending"|"working"|"rewound", source: any, live?: string,
 *   prompt?: string|null, usage?: any, place?: number}} Item source: the object that the item shows; live: "" for a finished one,
 *   else "live", or "stale" while the connection is down, and the tools that wait for a decision; prompt: the text that
 *   an answer belongs to; usage: of the turn whose last answer it is; place: of a prompt in the line before the
 *   agent, from 1 on: the running one is the first. The same five mean that nothing has to be drawn again
 */

import { rewindOf } from "./rewinding.js";
import { endingOf } from "../words/text.js";

/**
 * @param {import("./store.js").View} view
 * @param {readonly any[]} pending outbox entries of this session, oldest first
 * @param {boolean} [isStale] the connection is down: what was at work may have ended
 * @returns {Item[]}
 */
export function itemsOf(view, pending, isStale = false) {
  const { snapshot, skips } = view;
  const { current } = snapshot;
  const messages = current ? [...snapshot.messages, current] : snapshot.messages;
  const live = [
    isStale ? "stale" : "live",
    ...snapshot.permissions.map((request) => request.toolId),
  ].join(" ");
  const inLog = new Set(messages.map((message) => message.clientMsgId));
  const unseen = pending.filter((entry) => !inLog.has(entry.clientMsgId));
  // One whose receipt names a past place lies in a skip.
  const isPast = (entry) => entry.seq !== null && entry.seq <= snapshot.cursor;
  const placed = [
    ...placeMessages(messages, current, live, skips),
    ...skips.map(placeSkip),
    ...unseen
      .filter(isPast)
      .map((entry) => ({ ...pendingItem(entry), anchor: entry.seq, seq: entry.seq })),
  ];
  placed.sort((a, b) => a.anchor - b.anchor || a.seq - b.seq);
  const items = withRewinds(withEndings(placed, messages), snapshot.rewinds ?? []);
  addWorking(items, snapshot, messages, live);
  items.push(...unseen.filter((entry) => !isPast(entry)).map(pendingItem));
  const first = snapshot.turn ? 2 : 1;
  const places = new Map(snapshot.queue.map(({ clientMsgId }, i) => [clientMsgId, first + i]));
  return items.map(({ key, kind, source, live, prompt, usage }) => {
    const place = places.get(source.clientMsgId) ?? 0;
    return { key, kind, source, live, prompt, usage, place };
  });
}

/**
 * Every message with its anchor: the seq of the prompt whose turn it belongs to. A prompt that is not held is older
 * than all that is held since the last skip, and so is its turn, however late its answer came.
 */
function placeMessages(messages, current, live, skips) {
  const heldSince = (seq) =>
    Math.max(0, ...skips.filter((skip) => skip.from <= seq).map((skip) => skip.from - 0.25));
  const promptOf = new Map();
  for (const message of messages)
    if (message.role === "user" && message.turnId) promptOf.set(message.turnId, message);
  const bySeq = [...messages].sort((a, b) => a.seq - b.seq);
  const lastOf = new Map(
    messages.filter(({ role }) => role === "assistant").map((answer) => [answer.turnId, answer]),
  );
  let running = null; // the turn that a notice without a turn was said in
  return bySeq.map((message) => {
    let anchor = message.seq;
    // An imported answer belongs to no turn: it stands where the log has it.
    if (message.role === "assistant" && message.turnId && !message.imported)
      anchor = promptOf.get(message.turnId)?.seq ?? heldSince(message.seq);
    if (message.role === "assistant") running = anchor;
    else if (message.role === "notice") anchor = running ?? message.seq;
    else if (message.turnId && running === null) running = message.seq;
    const key = message.role === "user" ? `p:${message.clientMsgId}` : `m:${message.messageId}`;
    return {
      key,
      kind: "message",
      source: message,
      anchor,
      seq: message.seq,
      live: message === current ? live : "",
      prompt: message.role === "assistant" ? (promptOf.get(message.turnId)?.text ?? null) : null,
      usage: lastOf.get(message.turnId) === message ? promptOf.get(message.turnId)?.usage : null,
    };
  });
}

function pendingItem(entry) {
  return { key: `p:${entry.clientMsgId}`, kind: "pending", source: entry };
}

function placeSkip(skip) {
  return {
    key: `s:${skip.id}`,
    kind: "skip",
    source: skip,
    anchor: skip.from - 0.5,
    seq: skip.from,
  };
}

/** An unusual end of a turn is said behind its last message. */
function withEndings(placed, messages) {
  const promptAt = new Map(
    messages.filter((message) => message.role === "user").map((message) => [message.seq, message]),
  );
  const items = [];
  placed.forEach((item, i) => {
    items.push(item);
    const prompt = promptAt.get(item.anchor);
    const isLast = placed[i + 1]?.anchor !== item.anchor;
    if (isLast && prompt && endingOf(prompt.stopReason)) {
      items.push({
        key: `e:${prompt.messageId}`,
        kind: "ending",
        source: prompt,
        anchor: item.anchor,
      });
    }
  });
  return items;
}

/** A line before each run of messages that were taken back; live: how many they are. */
function withRewinds(items, rewinds) {
  if (!rewinds.length) return items;
  const out = [];
  for (let i = 0; i < items.length; i++) {
    const { source, anchor } = items[i];
    if (source.rewound && !items[i - 1]?.source.rewound) {
      const run = items.slice(i).findIndex((item) => !item.source.rewound);
      const taken = items.slice(i, run < 0 ? undefined : i + run);
      const count = taken.filter(({ kind }) => kind === "message").length;
      const rewind = rewindOf(source, rewinds);
      out.push({
        key: `r:${source.seq}`,
        kind: "rewound",
        source: rewind,
        live: `${count}`,
        anchor,
      });
    }
    out.push(items[i]);
  }
  return out;
}

/** The agent has the prompt and shows nothing yet: say that it works. */
function addWorking(items, { turn, current, runState }, messages, live) {
  if (!turn || runState !== "running" || current?.blocks.some((block) => !block.done)) return;
  const prompt = messages.find(
    (message) => message.role === "user" && message.turnId === turn.turnId,
  );
  const at = prompt ? items.findLastIndex((item) => item.anchor === prompt.seq) : items.length - 1;
  items.splice(at + 1, 0, {
    key: "working",
    kind: "working",
    source: turn.turnId,
    live,
    anchor: prompt?.seq ?? 0,
  });
}
