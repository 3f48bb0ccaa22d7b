/** The parts of the transcript: short lists that are in order as a whole, whatever is put in, moved or removed. */

import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";

import { Parts } from "../../sessions/static/sessions/scroll/parts.js";

const PART_SIZE = 16;

/** As much of an element as the parts use. */
class Element {
  /** @type {Element[]} */
  children = [];
  /** @type {Element|null} */
  parentElement = null;
  className = "";
  moves = 0;
  classList = { contains: () => false };

  get childElementCount() {
    return this.children.length;
  }

  get firstElementChild() {
    return this.children[0] ?? null;
  }

  get nextElementSibling() {
    const among = this.parentElement?.children ?? [];
    return among[among.indexOf(this) + 1] ?? null;
  }

  remove() {
    const among = this.parentElement?.children ?? [];
    among.splice(among.indexOf(this), 1);
    this.parentElement = null;
  }

  append(...elements) {
    for (const element of elements) this.#insert(this.children.length, element);
  }

  prepend(element) {
    this.#insert(0, element);
  }

  after(element) {
    const parent = /** @type {Element} */ (this.parentElement);
    if (element.parentElement) element.remove();
    parent.#insert(parent.children.indexOf(this) + 1, element);
  }

  replaceChildren() {
    for (const child of [...this.children]) child.remove();
  }

  #insert(at, element) {
    const isHere = element.parentElement === this;
    assert.ok(!isHere, "an element is put twice into its part");
    if (element.parentElement) element.remove();
    this.children.splice(at, 0, element);
    element.parentElement = this;
    element.moves += 1;
  }
}

/** A number below a bound, the same ones in each run. */
function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
}

/** @type {any} */
let root;
/** @type {Parts} */
let parts;
const elements = (count) => Array.from({ length: count }, () => /** @type {any} */ (new Element()));
const shown = () => root.children.flatMap((part) => part.children);
const sizes = () => root.children.map((part) => part.childElementCount);

beforeEach(() => {
  globalThis.document = /** @type {any} */ ({ createElement: () => new Element() });
  globalThis.ResizeObserver = /** @type {any} */ (
    class {
      observe() {}
      unobserve() {}
    }
  );
  root = new Element();
  parts = new Parts(root);
});

function assertShown(wanted) {
  assert.deepEqual(shown(), wanted);
  assert.ok(
    sizes().every((size) => size > 0 && size <= PART_SIZE),
    `${sizes()}`,
  );
}

describe("parts", () => {
  test("a chat is divided, and a message that is added touches no other", () => {
    const held = elements(100);
    parts.order(held);
    assertShown(held);
    assert.equal(root.childElementCount, Math.ceil(100 / PART_SIZE));
    const moves = held.map((element) => element.moves);
    const all = [...held, ...elements(1)];
    parts.order(all);
    assertShown(all);
    assert.deepEqual(
      held.map((element) => element.moves),
      moves,
    );
  });

  test("older messages come in front, those that are held are not touched", () => {
    const held = elements(20);
    parts.order(held);
    const all = [...elements(50), ...held];
    parts.order(all);
    assertShown(all);
    assert.ok(held.every(({ moves }) => moves === 1));
  });

  test("skipped messages in the middle divide a full part", () => {
    const held = elements(PART_SIZE);
    parts.order(held);
    const all = [...held.slice(0, 5), ...elements(200), ...held.slice(5)];
    parts.order(all);
    assertShown(all);
  });

  test("a part whose last message goes is gone", () => {
    const held = elements(PART_SIZE + 1);
    parts.order(held);
    parts.remove(held[PART_SIZE]);
    assert.deepEqual(sizes(), [PART_SIZE]);
    parts.clear();
    parts.order(held);
    assert.equal(shown().length, PART_SIZE + 1);
  });

  for (let seed = 1; seed <= 20; seed += 1) {
    test(`whatever comes, goes and moves, the order is the one that was asked for (${seed})`, () => {
      const random = numbers(seed);
      let held = elements(30);
      for (let step = 0; step < 60; step += 1) {
        const gone = held.filter(() => random(12) === 0);
        for (const element of gone) parts.remove(element);
        held = held.filter((element) => !gone.includes(element));
        held.splice(random(held.length + 1), 0, ...elements(random(25)));
        if (held.length && random(3) === 0) {
          const [moved] = held.splice(random(held.length), 1);
          held.splice(random(held.length + 1), 0, moved);
        }
        parts.order(held);
        assertShown(held);
      }
    });
  }
});
