/** Another tab takes the lead. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { settle } from "./support.js";
import { A, B, browser, event, open } from "./tabs-support.js";

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
