import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { SharedStream } from "../../transport/static/transport/tabs.js";
import { FakeClock, settle } from "./support.js";

const A = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
const B = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb";

/** Web Locks as far as they are used: one holder, a queue, abort and steal. */
class FakeLocks {
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
class FakeHub {
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
class FakeStream {
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

function browser() {
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

const event = (sessionId, seq) => ({ type: "x", sessionId, seq });
const snapshot = (sessionId, cursor, more = {}) => ({
  type: "session_snapshot",
  sessionId,
  cursor,
  full: true,
  ...more,
});

async function open(world, tab, sessionId, cursor = null) {
  tab.shared.open();
  if (sessionId) tab.shared.watch(sessionId, cursor);
  await settle();
  await world.clock.advance(60);
}

describe("one stream for all tabs", () => {
  test("the first tab leads, the others live on its stream", async () => {
    const world = browser();
    const [one, two, three] = [world.tab(), world.tab(), world.tab()];
    await open(world, one, A);
    await world.streams[0].live("c1");
    await open(world, two, B);
    await open(world, three, B);
    assert.equal(world.streams.length, 1);
    assert.deepEqual(
      [one, two, three].map((tab) => tab.shared.leads),
      [true, false, false],
    );
    assert.deepEqual(
      [one, two, three].map((tab) => tab.shared.connectionId),
      ["c1", "c1", "c1"],
    );
  });

  test("each tab gets its own sessions' events, once, in order", async () => {
    const world = browser();
    const [one, two] = [world.tab(), world.tab()];
    await open(world, one, A, 0);
    await world.streams[0].live("c1");
    await open(world, two, B, 0);
    for (const seq of [1, 2, 2, 3]) await world.streams[0].frame(event(A, seq));
    await world.streams[0].frame(event(B, 1));
    assert.deepEqual([one.seqs(), two.seqs()], [[1, 2, 3], [1]]);
  });

  test("a tab that opens a session which is watched already gets a snapshot of its own", async () => {
    const world = browser();
    const [one, two] = [world.tab(), world.tab()];
    await open(world, one, A);
    await world.streams[0].live("c1");
    await world.streams[0].frame(snapshot(A, 40));
    await open(world, two, A);
    assert.deepEqual(world.streams[0].asked.at(-1), ["again", A]);
    await world.streams[0].frame(snapshot(A, 40));
    assert.equal(two.frames.at(-1).cursor, 40);
  });

  test("a snapshot that was asked for over a line that broke is asked for over the next", async () => {
    const world = browser();
    const [one, two] = [world.tab(), world.tab()];
    await open(world, one, A);
    await world.streams[0].live("c1");
    await world.streams[0].frame(snapshot(A, 40));
    await open(world, two, A);
    await world.streams[0].status("waiting");
    world.streams[0].asked.length = 0;
    await world.streams[0].live("c2");
    assert.deepEqual(world.streams[0].asked, [["again", A]]);
    await world.streams[0].frame(snapshot(A, 42));
    assert.equal(two.frames.at(-1).cursor, 42);
    await world.streams[0].status("waiting");
    world.streams[0].asked.length = 0;
    await world.streams[0].live("c3");
    assert.deepEqual(world.streams[0].asked, [], "what every tab has is not asked for");
  });

  test("a tab that is behind the stream is brought up by a replay that the others drop", async () => {
    const world = browser();
    const [one, two] = [world.tab(), world.tab()];
    await open(world, one, A, 8);
    await world.streams[0].live("c1");
    await world.streams[0].frame(event(A, 9));
    await open(world, two, A, 7);
    assert.deepEqual(world.streams[0].asked.at(-1), ["repair", A, 7]);
    for (const seq of [8, 9]) await world.streams[0].frame(event(A, seq));
    assert.deepEqual([one.seqs(), two.seqs()], [[9], [8, 9]]);
  });

  test("a tab that sees a hole has the leader ask for it, once", async () => {
    const world = browser();
    const [one, two] = [world.tab(), world.tab()];
    await open(world, one, B, 0);
    await world.streams[0].live("c1");
    await open(world, two, A, 5);
    await world.streams[0].frame(event(A, 8));
    await world.streams[0].frame(event(A, 9));
    assert.deepEqual(
      world.streams[0].asked.filter(([name]) => name === "repair"),
      [["repair", A, 5]],
    );
  });

  test("a session is left when the last tab that shows it leaves", async () => {
    const world = browser();
    const [one, two] = [world.tab(), world.tab()];
    await open(world, one, A, 1);
    await world.streams[0].live("c1");
    await open(world, two, A, 1);
    one.shared.unwatch(A);
    await settle();
    assert.equal(world.streams[0].watches(A), true);
    two.shared.close();
    await settle();
    assert.equal(world.streams[0].watches(A), false);
  });

  test("a tab that is gone without a word is found by the roll", async () => {
    const world = browser();
    const [one, two] = [world.tab(), world.tab({ heartbeatMs: 1e9 })];
    await open(world, one);
    await world.streams[0].live("c1");
    await open(world, two, A, 1);
    two.channels[0].deaf = true;
    await world.clock.advance(61_000);
    assert.equal(world.streams[0].watches(A), true);
    await world.clock.advance(60_000);
    assert.equal(world.streams[0].watches(A), false);
  });

  test("a rejected watch reaches the tab that wanted it", async () => {
    const world = browser();
    const [one, two] = [world.tab(), world.tab()];
    await open(world, one, A, 1);
    await world.streams[0].live("c1");
    await open(world, two, B, null);
    await world.streams[0].frame({ type: "watch_rejected", sessionId: B, code: "unknown_session" });
    assert.equal(one.frames.length, 0);
    assert.equal(two.frames[0].code, "unknown_session");
    assert.equal(two.shared.watches(B), false);
  });

  test("commands about the stream reach the tab that leads", async () => {
    const world = browser();
    const [one, two] = [world.tab(), world.tab()];
    await open(world, one, A, 1);
    await world.streams[0].live("c1");
    await open(world, two);
    two.shared.forget("c1");
    two.shared.wake("online");
    await settle();
    assert.deepEqual(world.streams[0].asked.slice(-2), [
      ["forget", "c1"],
      ["wake", "online"],
    ]);
  });
});

describe("another tab takes over", () => {
  test("at once when the leader closes, from the cursors of all tabs", async () => {
    const world = browser();
    const [one, two, three] = [world.tab(), world.tab(), world.tab()];
    await open(world, one, A, 0);
    await world.streams[0].live("c1");
    await open(world, two, A, 0);
    await open(world, three, B, 7);
    for (const seq of [1, 2]) await world.streams[0].frame(event(A, seq));
    one.shared.close();
    await world.clock.advance(60);
    assert.equal(world.streams[0].isClosed, true);
    assert.equal(two.shared.leads, true);
    assert.equal(world.streams[1].isOpen, true);
    assert.deepEqual(Object.fromEntries(world.streams[1].cursors), { [A]: 2, [B]: 7 });
    await world.streams[1].live("c2");
    assert.equal(three.shared.connectionId, "c2");
    await world.streams[1].frame(event(A, 3));
    await world.streams[1].frame(event(B, 8));
    assert.deepEqual([two.seqs(), three.seqs()], [[1, 2, 3], [8]]);
  });

  test("the stream begins where the tab that has seen least is", async () => {
    const world = browser();
    const [one, two, three, four] = [world.tab(), world.tab(), world.tab(), world.tab()];
    await open(world, one);
    await open(world, two, A, 9);
    await open(world, three, A, 4);
    await open(world, four, A, null);
    one.shared.close();
    await world.clock.advance(60);
    assert.equal(world.streams[1].cursor(A), 4);
    await world.streams[1].live("c2");
    assert.deepEqual(world.streams[1].asked.at(-1), ["again", A]); // for the tab that has nothing yet
  });

  test("when the browser freezes the leader; thawed, it lives on the other's stream", async () => {
    const world = browser();
    const [one, two] = [world.tab(), world.tab()];
    await open(world, one, A, 0);
    await world.streams[0].live("c1");
    await open(world, two, A, 0);
    one.shared.freeze();
    await world.clock.advance(60);
    assert.equal(two.shared.leads, true);
    await world.streams[1].live("c2");
    for (const seq of [1, 2]) await world.streams[1].frame(event(A, seq));
    one.shared.thaw();
    await settle();
    assert.equal(one.shared.leads, false);
    assert.deepEqual(world.streams[1].asked.at(-1), ["repair", A, 0]);
    for (const seq of [1, 2]) await world.streams[1].frame(event(A, seq));
    assert.deepEqual(
      [one.seqs(), two.seqs()],
      [
        [1, 2],
        [1, 2],
      ],
    );
  });

  test("from a leader that hangs, when a tab in front hears nothing for long", async () => {
    const world = browser();
    const [one, two] = [world.tab(), world.tab()];
    await open(world, one, A, 0);
    await world.streams[0].live("c1");
    await open(world, two, A, 0);
    one.channels[0].deaf = true;
    await world.clock.advance(37_500);
    assert.equal(two.shared.leads, false);
    await world.clock.advance(1_000 + 60);
    assert.equal(two.shared.leads, true);
    assert.equal(one.shared.leads, false); // robbed of its lock, it has ended its stream
    assert.equal(world.streams[0].isClosed, true);
  });

  test("within a second when the page comes to the front and the leader is mute", async () => {
    const world = browser();
    const [one, two] = [world.tab(), world.tab()];
    await open(world, one, A, 0);
    await world.streams[0].live("c1");
    await open(world, two, A, 0);
    one.channels[0].deaf = true;
    two.shared.wake("foreground");
    await world.clock.advance(1_000 + 60);
    assert.equal(two.shared.leads, true);
  });

  test("not from a leader that answers", async () => {
    const world = browser();
    const [one, two] = [world.tab(), world.tab()];
    await open(world, one, A, 0);
    await world.streams[0].live("c1");
    await open(world, two, A, 0);
    two.shared.wake("foreground");
    await world.clock.advance(5_000);
    assert.equal(one.shared.leads, true);
    assert.equal(world.streams.length, 1);
  });

  async function withHiddenLeader() {
    const world = browser();
    const [one, two] = [world.tab(), world.tab()];
    await open(world, one, A, 0);
    await world.streams[0].live("c1");
    await open(world, two, A, 0);
    one.shared.see(false);
    return { world, one, two };
  }

  test("from a hidden leader whose next try is overdue: its timers may sleep", async () => {
    const { world, two } = await withHiddenLeader();
    await world.streams[0].status("waiting", world.clock.now() + 8_000);
    await world.clock.advance(7_999);
    assert.equal(two.shared.leads, false, "many wait for their turn, and so does this browser");
    await world.clock.advance(1 + 1_000 + 60);
    assert.equal(two.shared.leads, true);
    assert.equal(world.streams[1].isOpen, true);
  });

  test("not from a hidden leader that tries in time", async () => {
    const { world, one, two } = await withHiddenLeader();
    await world.streams[0].status("waiting", world.clock.now() + 8_000);
    await world.clock.advance(8_000);
    await world.streams[0].status("connecting");
    await world.clock.advance(5_000);
    assert.equal(two.shared.leads, false);
    assert.equal(one.shared.leads, true);
  });

  test("frames and ends of a stream that was given up are not heard", async () => {
    const world = browser();
    const [one, two] = [world.tab(), world.tab()];
    await open(world, one, A, 0);
    await world.streams[0].live("c1");
    await open(world, two, A, 0);
    one.shared.freeze();
    await world.clock.advance(60);
    await world.streams[0].frame(event(A, 1));
    await world.streams[0].status("waiting");
    assert.deepEqual(two.seqs(), []);
  });
});

describe("who looks", () => {
  test("a session is in the background when all tabs that show it are, and comes back with the first", async () => {
    const world = browser();
    const [one, two] = [world.tab(), world.tab()];
    await open(world, one, A, 1);
    await world.streams[0].live("c1");
    await open(world, two, A, 1);
    const told = () =>
      world.streams[0].asked.filter(([name]) => name === "suspend" || name === "resume");
    one.shared.see(false);
    await settle();
    assert.deepEqual(told(), []);
    two.shared.see(false);
    await settle();
    assert.deepEqual(told(), [["suspend", [A]]]);
    two.shared.see(true);
    await settle();
    assert.deepEqual(told().at(-1), ["resume", [A]]);
  });

  test("a beacon carries the news where the page may freeze the next moment", async () => {
    const world = browser();
    const sent = [];
    const one = world.tab({ beacon: (body) => sent.push(body) > 0 });
    await open(world, one, A, 4);
    await world.streams[0].live("c1");
    one.shared.see(false);
    assert.deepEqual(sent, [{ connectionId: "c1", sessions: [{ sessionId: A, cursor: 4 }] }]);
  });

  test("a new stream is told again", async () => {
    const world = browser();
    const one = world.tab();
    await open(world, one, A, 4);
    await world.streams[0].live("c1");
    one.shared.see(false);
    await world.streams[0].live("c2");
    assert.equal(world.streams[0].asked.filter(([name]) => name === "suspend").length, 2);
  });
});

test("without Web Locks every tab has a stream of its own", async () => {
  const world = browser();
  const [one, two] = [world.tab({ locks: null }), world.tab({ locks: null })];
  await open(world, one, A, 0);
  await open(world, two, A, 0);
  assert.equal(world.streams.length, 2);
  await world.streams[0].live("c1");
  await world.streams[0].frame(event(A, 1));
  assert.deepEqual([one.seqs(), two.seqs()], [[1], []]);
});

describe("more chats than the server allows", () => {
  const evicted = ({ frames }) =>
    frames
      .filter(({ type }) => type === "watch_rejected")
      .map(({ sessionId, code }) => [sessionId, code]);

  test("give up the least important one, and never the one that is shown", async () => {
    const world = browser();
    const weights = { A: 1, B: 0, C: 2, D: 3 };
    const tab = world.tab({ maxWatches: 3, importance: (id) => weights[id] });
    tab.shared.open();
    await settle();
    for (const id of ["A", "B", "C", "D"]) tab.shared.watch(id, 5);
    assert.deepEqual([...world.streams[0].cursors.keys()], ["A", "C", "D"]);
    assert.deepEqual(evicted(tab), [["B", "too_many_watches"]]);
    assert.equal(tab.shared.watches("B"), false);
    assert.equal(tab.shared.watches("D"), true);
  });

  test("leave before what comes in their place", async () => {
    const world = browser();
    const tab = world.tab({ maxWatches: 1, importance: (id) => (id === "B" ? 3 : 0) });
    tab.shared.open();
    await settle();
    tab.shared.watch("A", 5);
    tab.shared.watch("B", 5);
    assert.deepEqual(world.streams[0].asked, [
      ["watch", "A", 5],
      ["unwatch", "A"],
      ["watch", "B", 5],
    ]);
  });

  test("of another tab make room for the one that is shown here, and that tab knows", async () => {
    const world = browser();
    const first = world.tab({ maxWatches: 2, importance: (id) => (id === "A" ? 3 : 1) });
    const second = world.tab({ maxWatches: 2, importance: () => 3 });
    first.shared.open();
    await settle();
    second.shared.open();
    await settle();
    first.shared.watch("A", 1);
    first.shared.watch("B", 1);
    second.shared.watch("C", 1);
    await settle();
    assert.deepEqual([...world.streams[0].cursors.keys()], ["A", "C"]);
    assert.deepEqual(evicted(first), [["B", "too_many_watches"]]);
    assert.equal(first.shared.watches("B"), false);
    assert.deepEqual(evicted(second), []);
  });

  test("shown in two tabs: the one in sight goes first", async () => {
    const world = browser();
    const tabs = [1, 2].map(() => world.tab({ maxWatches: 1, importance: () => 3 }));
    for (const { shared } of tabs) {
      shared.open();
      await settle();
    }
    tabs[0].shared.see(false);
    tabs[0].shared.watch("A", 1);
    tabs[1].shared.watch("B", 1);
    await settle();
    assert.deepEqual([...world.streams[0].cursors.keys()], ["B"]);
    tabs[1].shared.see(false);
    tabs[0].shared.see(true);
    tabs[0].shared.watch("A", 1);
    await settle();
    assert.deepEqual([...world.streams[0].cursors.keys()], ["A"]);
  });
});
