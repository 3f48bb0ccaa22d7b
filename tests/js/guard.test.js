import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";

import { ARM_MS, Guard } from "../../sessions/static/sessions/cards/guard.js";

describe("a decision", () => {
  let now = 0;
  /** @type {Guard} */
  let guard;

  beforeEach(() => {
    now = 0;
    guard = new Guard(() => now);
  });

  test("waits until the card was wholly visible for a while", () => {
    assert.equal(guard.armsInMs, null);
    now = 10_000;
    assert.equal(guard.isArmed, false); // never seen
    guard.see(true);
    assert.equal(guard.armsInMs, ARM_MS);
    now += ARM_MS - 1;
    assert.equal(guard.isArmed, false);
    now += 1;
    assert.equal(guard.isArmed, true);
  });

  test("waits again when the card was out of sight", () => {
    guard.see(true);
    now = ARM_MS;
    guard.see(false);
    assert.equal(guard.isArmed, false);
    guard.see(true);
    assert.equal(guard.isArmed, false);
    now += ARM_MS;
    assert.equal(guard.isArmed, true);
  });

  test("does not wait again because the card is seen once more", () => {
    guard.see(true);
    now = ARM_MS - 1;
    guard.see(true);
    now = ARM_MS;
    assert.equal(guard.isArmed, true);
  });

  test("waits after the last press", () => {
    guard.see(true);
    now = 5_000;
    guard.touch();
    assert.equal(guard.armsInMs, ARM_MS);
    now += ARM_MS - 1;
    guard.touch();
    now += ARM_MS - 1;
    assert.equal(guard.isArmed, false);
    now += 1;
    assert.equal(guard.isArmed, true);
  });
});
