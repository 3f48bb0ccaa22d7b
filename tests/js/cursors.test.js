/** The cursors against random runs. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Cursors } from "../../transport/static/transport/cursors.js";
import { A } from "./stream-support.js";

describe("cursors", () => {
  test("a random run of duplicates, holes and late frames delivers each seq once, ascending", () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      let x = seed;
      const random = () => {
        x = (x * 48_271) % 2_147_483_647;
        return x / 2_147_483_647;
      };
      const cursors = new Cursors();
      cursors.track(A, 0);
      const got = [];
      while (got.length < 40) {
        const at = cursors.get(A);
        const seq = Math.max(1, at + 1 + Math.floor(random() * 7) - 3);
        const verdict = cursors.accept({ type: "x", sessionId: A, seq });
        assert.equal(verdict, seq <= at ? "drop" : seq === at + 1 ? "deliver" : "gap");
        if (verdict === "deliver") got.push(seq);
      }
      assert.deepEqual(
        got,
        Array.from({ length: 40 }, (_, i) => i + 1),
      );
    }
  });
});
