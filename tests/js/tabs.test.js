/** The stream that all tabs share. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { settle } from "./support.js";
import { A, B, browser, event, open } from "./tabs-support.js";

const snapshot = (sessionId, cursor, more = {}) => ({
  type: "session_snapshot",
  sessionId,
  cursor,
  full: true,
  ...more,
});

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

  test("each tab knows which connection has caught up with a session", async () => {
    const world = browser();
    const [one, two] = [world.tab(), world.tab()];
    const told = () => [one, two].map(({ shared }) => shared.caughtUpBy(A));
    await open(world, one, A);
    await open(world, two, A);
    await world.streams[0].live("c1");
    assert.deepEqual(told(), [null, null]);
    await world.streams[0].frame(snapshot(A, 40));
    assert.deepEqual(told(), ["c1", "c1"]);
    await world.streams[0].status("waiting");
    await world.streams[0].live("c2");
    assert.deepEqual(told(), [null, null]);
    await world.streams[0].frame(event(A, 41));
    await world.streams[0].frame(snapshot(A, 41, { full: false }));
    assert.deepEqual(told(), ["c2", "c2"]);
    two.shared.unwatch(A);
    two.shared.watch(A, 41);
    assert.deepEqual(told(), ["c2", null]);
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
