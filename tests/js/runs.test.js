/** The steps of an answer, folded into rows. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { runsOf, runText } from "../../sessions/static/sessions/log/runs.js";
import { durationText } from "../../sessions/static/sessions/words/durations.js";

/** A block by a sign: c completed, f failed, d denied, s stopped, r running, t a thought, o one that goes on, x text. */
const KINDS = { t: "thinking", o: "thinking", x: "text" };
const STATUS = { c: "completed", f: "failed", d: "rejected", s: "cancelled" };
/** @returns {any[]} */
const blocksOf = (signs, more = {}) =>
  [...signs].map((sign, i) => ({
    blockId: `${i}`,
    blockType: KINDS[sign] ?? "tool_use",
    status: STATUS[sign] ?? null,
    done: sign !== "o",
    sign,
    ...more,
  }));

/** The rows as signs: "(ccc)f" is a run with one call behind it. */
const rows = (signs) =>
  runsOf(blocksOf(signs)).map((/** @type {any} */ { blocks, out }) => {
    const inside = blocks.map(({ sign }) => sign).join("");
    return blocks.length > 1 ? `(${inside})${out.map(({ sign }) => sign).join("")}` : inside;
  });

describe("rows of an answer", () => {
  for (const [signs, expected] of [
    ["", []],
    ["cc", ["c", "c"]],
    ["ccc", ["(ccc)"]],
    ["cccx", ["(ccc)", "x"]],
    ["xcccxcc", ["x", "(ccc)", "x", "c", "c"]],
    ["cfcc", ["(ccc)f"]],
    ["cfdsc", ["c", "f", "d", "s", "c"]],
    ["cccr", ["(ccc)", "r"]],
    ["rccc", ["r", "(ccc)"]],
    ["ctctc", ["(ctctc)"]],
    ["tccct", ["t", "(ccc)", "t"]],
    ["cco", ["c", "c", "o"]],
    ["ccoc", ["c", "c", "o", "c"]],
    ["fff", ["f", "f", "f"]],
  ])
    test(`${signs || "nothing"}`, () => assert.deepEqual(rows(signs), expected));

  test("keep every block once, whatever the order", () => {
    let seed = 7;
    const next = (n) => (seed = (seed * 48_271) % 2_147_483_647) % n;
    for (let round = 0; round < 300; round += 1) {
      const signs = Array.from({ length: next(30) }, () => "ccccfdsrtox"[next(11)]).join("");
      const shown = runsOf(blocksOf(signs)).flatMap(({ blocks, out }) => [...blocks, ...out]);
      const ids = shown.map(({ blockId }) => Number(blockId)).sort((a, b) => a - b);
      assert.deepEqual(
        ids,
        [...signs].map((_, i) => i),
        signs,
      );
    }
  });

  test("300 calls are one row", () => assert.equal(rows("c".repeat(300)).length, 1));
});

describe("the words of a row", () => {
  test("count the calls by kind, tell failures and the time", () => {
    const blocks = blocksOf("ccccfdt", { tookMs: 4_000 });
    ["read", "execute", "read", "read", "execute", "edit"].forEach((kind, i) => {
      blocks[i].toolKind = kind;
    });
    const [run] = runsOf(blocks);
    assert.deepEqual(runText(run), {
      label: "6 steps",
      hint: "3 reads, 1 command",
      status: "1 failed · 24 s",
    });
  });

  test("name no kind that says nothing", () => {
    assert.deepEqual(runText(runsOf(blocksOf("ccc", { toolKind: "other" }))[0]), {
      label: "3 steps",
      hint: "",
      status: "",
    });
    const [run] = runsOf(blocksOf("ccc", { toolKind: "constructor" })); // an agent chooses the word
    assert.equal(runText(run).hint, "");
  });
});

test("durations", () => {
  for (const [ms, text] of [
    [0, ""],
    [99, ""],
    [400, "0.4 s"],
    [9_940, "9.9 s"],
    [9_960, "10 s"],
    [48_200, "48 s"],
    [59_700, "1 min"],
    [125_000, "2 min 5 s"],
    [3_840_000, "1 h 4 min"],
    [7_200_000, "2 h"],
  ])
    assert.equal(durationText(/** @type {number} */ (ms)), text, `${ms}`);
});
