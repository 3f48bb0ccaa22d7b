/** Doubles for tabs: locks, channels, and the stream that they share. */

import { SharedStream } from "../../transport/static/transport/tabs/shared-stream.js";
import { FakeClock, settle } from "./support.js";

export const A = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";

export const B = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb";

/** Web Locks as far as they are used: one holder, a queue, abort and steal. */
export class FakeLocks {
  #holder = null;
  #queue = [];

  request(name, options, run) {
    return new Promise((resolve, reject) => {
      const entry = { run, resolve, reject };
      options.signal?.addEventListener("abort", () => {
        if (!this.#queue.includes(entry)) return;
        this.#queue = this.#queue.filter((other) => other !== entry);
        reject(new DOMException("aborted", "AbortError"));
      });
      if (options.steal) {
        const robbed = this.#holder;
        this.#grant(entry);
        robbed?.reject(new DOMException("stolen", "AbortError"));
      } else {
        this.#queue.push(entry);
        this.#next();
      }
    });
  }

  #grant(entry) {
    this.#holder = entry;
    queueMicrotask(async () => {
      const result = await entry.run();
      if (this.#holder === entry) this.#holder = null;
      entry.resolve(result);
      this.#next();
    });
  }

  #next() {
    if (!this.#holder && this.#queue.length) this.#grant(this.#queue.shift());
  }
}

/** Channels of one browser; one that is deaf stands for a frozen tab. */
export class FakeHub {
  channels = new Set();

  make = () => {
    const channel = {
      onmessage: null,
      deaf: false,
      postMessage: (data) => {
        const copy = structuredClone(data);
        for (const other of this.channels)
          if (other !== channel)
            queueMicrotask(() => other.deaf || other.onmessage?.({ data: copy }));
      },
    };
    this.channels.add(channel);
    return channel;
  };
}

/** The stream as the tabs use it: what it was asked, and frames by hand. */
export class FakeStream {
  asked = [];
  cursors = new Map();
  isOpen = false;
  isClosed = false;
  connectionId = null;

  constructor(options) {
    this.options = options;
  }
  open() {
    this.isOpen = true;
  }
  close() {
    this.isClosed = true;
    this.connectionId = null;
  }
  watches(id) {
    return this.cursors.has(id);
  }
  cursor(id) {
    return this.cursors.get(id);
  }
  watch(id, cursor) {
    this.cursors.set(id, cursor);
    this.asked.push(["watch", id, cursor]);
  }
  unwatch(id) {
    this.cursors.delete(id);
    this.asked.push(["unwatch", id]);
  }
  lower(id, cursor) {
    this.cursors.set(id, Math.min(cursor, this.cursors.get(id) ?? Infinity));
  }
  again(id) {
    this.asked.push(["again", id]);
  }
  repair(id, cursor) {
    this.asked.push(["repair", id, cursor]);
  }
  wake(reason) {
    this.asked.push(["wake", reason]);
  }
  forget(id) {
    this.asked.push(["forget", id]);
  }
  tell(name, body) {
    this.asked.push([name, body.sessions.map(({ sessionId }) => sessionId)]);
  }

  live(connectionId) {
    this.connectionId = connectionId;
    this.options.onStatus({
      state: "live",
      connectionId,
      downSince: null,
      retryAt: null,
      reason: "",
    });
    return settle();
  }

  status(state, retryAt = null) {
    this.connectionId = null;
    this.options.onStatus({ state, connectionId: null, downSince: 1, retryAt, reason: "" });
    return settle();
  }

  frame(frame) {
    if (frame.seq) this.cursors.set(frame.sessionId, frame.seq);
    if (frame.type === "session_snapshot") this.cursors.set(frame.sessionId, frame.cursor);
    this.options.onRaw(frame);
    return settle();
  }
}

export function browser() {
  const clock = new FakeClock();
  const locks = /** @type {any} */ (new FakeLocks());
  const hub = new FakeHub();
  const streams = [];
  let next = 0;
  const tab = (more = {}) => {
    const frames = [];
    const channels = [];
    const shared = new SharedStream({
      name: "x",
      heartbeatMs: 15_000,
      clock,
      locks,
      tabId: `tab${(next += 1)}`,
      makeChannel: () => channels[channels.push(hub.make()) - 1],
      makeStream: (options) => streams[streams.push(new FakeStream(options)) - 1],
      onFrame: (frame) => frames.push(frame),
      ...more,
    });
    return { shared, frames, channels, seqs: () => frames.filter((f) => f.seq).map((f) => f.seq) };
  };
  return { clock, locks, hub, streams, tab };
}

export const event = (sessionId, seq) => ({ type: "x", sessionId, seq });

export async function open(world, tab, sessionId, cursor = null) {
  tab.shared.open();
  if (sessionId) tab.shared.watch(sessionId, cursor);
  await settle();
  await world.clock.advance(60);
}
