/** Long diffs are drawn in slices: no task of the page makes more than a bounded number of rows. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { fill } from "../../sessions/static/sessions/work/fill.js";

const ROWS = 10_000; // 5,000 changed lines
const SLICE = 50;

/** A box that counts its rows. */
function boxOf() {
  return {
    rows: /** @type {any[]} */ ([]),
    replaceChildren() {
      this.rows = [];
    },
    append(part) {
      this.rows.push(...part.rows);
    },
  };
}

describe("a long diff", () => {
  beforeEach(() => {
    globalThis.document = /** @type {any} */ ({
      createElement: () => ({
        ...{ className: "", style: { setProperty() {} }, rows: [] },
        append(...rows) {
          this.rows = rows;
        },
      }),
    });
  });
  afterEach(() => Reflect.deleteProperty(globalThis, "document"));

  const numbers = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);

  it("is made of slices, each in a task of its own, and complete in the end", async () => {
    const box = boxOf();
    const slices = [];
    const make = (from, to) => {
      slices.push({ count: to - from, tasks: task });
      return /** @type {any[]} */ (numbers(from, to));
    };
    let task = 0;
    const counting = setInterval(() => (task += 1));
    await new Promise((resolve) => fill(/** @type {any} */ (box), ROWS, make, () => resolve(null)));
    clearInterval(counting);
    assert.deepEqual(box.rows, numbers(0, ROWS));
    assert.equal(slices.length, ROWS / SLICE);
    assert.ok(slices.every(({ count }) => count <= SLICE));
    assert.ok(task > 0, "other work runs between the slices");
  });

  it("ends when the box is filled with something else", async () => {
    const box = boxOf();
    let made = 0;
    fill(/** @type {any} */ (box), ROWS, (from, to) => {
      made += to - from;
      return /** @type {any[]} */ (numbers(from, to));
    });
    await new Promise((resolve) =>
      fill(
        /** @type {any} */ (box),
        2,
        () => /** @type {any[]} */ (["a", "b"]),
        () => resolve(null),
      ),
    );
    await new Promise((resolve) => setTimeout(resolve));
    assert.deepEqual(box.rows, ["a", "b"]);
    assert.equal(made, SLICE);
  });
});
