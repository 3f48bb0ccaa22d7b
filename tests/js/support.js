/** Doubles for the browser modules: a clock that is moved by hand, a tab's storage, scripted answers. */

import { mock } from "node:test";

/** Lets every promise that can go on go on. */
export async function settle() {
  for (let i = 0; i < 8; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

export class FakeClock {
  #now = 1_000_000;
  #timers = new Map();
  #next = 1;

  now = () => this.#now;

  setTimeout = (fn, ms) => {
    const id = this.#next++;
    this.#timers.set(id, { at: this.#now + ms, fn });
    return id;
  };

  clearTimeout = (id) => void this.#timers.delete(id);

  /** Milliseconds until the next timer, null without one. */
  get nextIn() {
    const ats = [...this.#timers.values()].map(({ at }) => at);
    return ats.length ? Math.min(...ats) - this.#now : null;
  }

  async advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const due = [...this.#timers]
        .filter(([, { at }]) => at <= end)
        .sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      const [id, { at, fn }] = due;
      this.#timers.delete(id);
      this.#now = at;
      fn();
    }
    this.#now = end;
    await settle();
  }
}

export class FakeStorage {
  items = new Map();
  full = false;
  limit = Infinity; // characters of one value
  getItem = (key) => this.items.get(key) ?? null;
  removeItem = (key) => void this.items.delete(key);
  names = () => [...this.items.keys()];
  setItem = (key, value) => {
    if (this.full || String(value).length > this.limit)
      throw new DOMException("full", "QuotaExceededError");
    this.items.set(key, String(value));
  };
}

export function json(status, body, headers = {}) {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "Content-Type": "application/json", ...headers },
  });
}

/** A promise whose end is in the test's hands. */
export function deferred() {
  let resolve, reject;
  const promise = new Promise((ok, no) => {
    resolve = ok;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** A fetch that never answers until its signal aborts it. */
export function hanging(_url, { signal }) {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

/** mock.fn whose calls answer in turn, then by the last one: what mockImplementationOnce does for a sequence. */
export function answers(...steps) {
  const fn = mock.fn(steps.at(-1));
  steps.slice(0, -1).forEach((step, call) => fn.mock.mockImplementationOnce(step, call));
  return fn;
}

/** One server-sent stream in the test's hands. */
export class FakeServerStream {
  #encoder = new TextEncoder();
  #controller;
  aborted = false;

  constructor(url, init) {
    this.url = url;
    this.body = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
    });
    init.signal.addEventListener("abort", () => {
      this.aborted = true;
      try {
        this.#controller.error(init.signal.reason);
      } catch {
        /* already ended */
      }
    });
  }

  response() {
    return new Response(this.body, {
      status: 200,
      headers: { "Content-Type": "text/event-stream" },
    });
  }

  raw(text) {
    this.#controller.enqueue(this.#encoder.encode(text));
    return settle();
  }

  send(data, event = "message") {
    return this.raw(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  welcome(connectionId, more = {}) {
    return this.send(
      {
        protocol: 1,
        connectionId,
        heartbeatMs: 15_000,
        maxReplayGap: 200,
        serverTime: "2026-11-23T08:00:00.000Z",
        ...more,
      },
      "welcome",
    );
  }

  event(sessionId, seq, more = {}) {
    return this.send({
      v: 1,
      type: "block_delta",
      sessionId,
      seq,
      ts: "2026-11-23T08:00:00.000Z",
      ...more,
    });
  }

  snapshot(sessionId, cursor, more = {}) {
    return this.send({
      v: 1,
      type: "session_snapshot",
      sessionId,
      cursor,
      full: true,
      cursorInvalid: false,
      ...more,
    });
  }

  end() {
    this.#controller.close();
    return settle();
  }
}
