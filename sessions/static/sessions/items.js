/**
 * The items of the transcript, from top to bottom. Pure: a list of keyed items for transcript.js.
 *
 * The log's order is by seq; a person reads by turns. A prompt that was queued while an answer ran stands in
 * the log in the middle of that answer, and is shown behind it.
 *
 * @typedef {{key: string, kind: "message"|"pending"|"skip"|"ending"|"working", source: any, live?: string}} Item
 *   source: the object that the item shows; live: "" for a finished one, else "live" and the tools that wait
 *   for a decision. The same two mean that nothing has to be drawn again
 */

import { endingOf } from "./text.js";

/**
 * @param {import("./store.js").View} view
 * @param {readonly any[]} pending outbox entries of this session, oldest first
 * @returns {Item[]}
 */
export function itemsOf(view, pending) {
  const { snapshot, skips } = view;
  const { current } = snapshot;
  const messages = current ? [...snapshot.messages, current] : snapshot.messages;
  const live = ["live", ...snapshot.permissions.map((request) => request.toolId)].join(" ");
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
  const items = withEndings(placed, messages);
  addWorking(items, snapshot, messages);
  items.push(...unseen.filter((entry) => !isPast(entry)).map(pendingItem));
  return items.map(({ key, kind, source, live }) => ({ key, kind, source, live }));
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
    if (message.role === "user" && message.turnId) promptOf.set(message.turnId, message.seq);
  const bySeq = [...messages].sort((a, b) => a.seq - b.seq);
  let running = null; // the turn that a notice without a turn was said in
  return bySeq.map((message) => {
    let anchor = message.seq;
    if (message.role === "assistant" && message.turnId)
      anchor = promptOf.get(message.turnId) ?? heldSince(message.seq);
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

/** The agent has the prompt and shows nothing yet: say that it works. */
function addWorking(items, { turn, current, runState }, messages) {
  if (!turn || runState !== "running" || current?.blocks.some((block) => !block.done)) return;
  const prompt = messages.find(
    (message) => message.role === "user" && message.turnId === turn.turnId,
  );
  const at = prompt ? items.findLastIndex((item) => item.anchor === prompt.seq) : items.length - 1;
  items.splice(at + 1, 0, {
    key: "working",
    kind: "working",
    source: turn.turnId,
    anchor: prompt?.seq ?? 0,
  });
}
