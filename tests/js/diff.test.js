import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { difference } from "../../sessions/static/sessions/diff/diff.js";

const signs = ({ rows }) => rows.map(({ sign, text }) => sign + text);

describe("the difference of two texts", () => {
  test("a changed line stands between its neighbours", () => {
    const found = difference("a\nb\nc\n", "a\nx\nc\n");
    assert.deepEqual(signs(found), [" a", "-b", "+x", " c"]);
    assert.deepEqual([found.added, found.removed], [1, 1]);
  });

  test("a row knows its place in the text that it is of", () => {
    const lines = Array.from({ length: 20 }, (_, i) => `${i}`);
    const changed = lines.with(10, "x").toSpliced(15, 1);
    const { rows } = difference(lines.join("\n"), changed.join("\n"));
    for (const { sign, text, at } of rows) {
      if (sign !== "…") assert.equal((sign === "-" ? lines : changed)[at], text);
    }
  });

  test("a new file is all added", () => {
    assert.deepEqual(signs(difference(null, "a\nb\n")), ["+a", "+b"]);
  });

  test("long runs of equal lines are one row", () => {
    const lines = Array.from({ length: 20 }, (_, i) => `${i}`);
    const changed = lines.with(10, "x");
    assert.deepEqual(signs(difference(lines.join("\n"), changed.join("\n"))), [
      "…7 equal lines",
      ...[" 7", " 8", " 9", "-10", "+x", " 11", " 12", " 13"],
      "…6 equal lines",
    ]);
  });

  test("any two texts: the rows give both again, with the fewest changes", () => {
    for (let i = 0; i < 2000; i += 1) {
      const [old, now] = [texts(i), texts(i * 7 + 3)];
      const { rows, added } = difference(old.join("\n"), now.join("\n"));
      const kept = (sign) => rows.filter((row) => row.sign !== sign).map(({ text }) => text);
      if (rows.some(({ sign }) => sign === "…")) continue;
      assert.deepEqual([kept("+"), kept("-")], [old, now]);
      assert.equal(added, now.length - common(old, now));
    }
  });

  test("five thousand changed lines take no more than a frame", () => {
    const lines = Array.from({ length: 5000 }, (_, i) => `line ${i}`);
    const changed = lines.map((line) => `${line} changed`);
    const { added, removed } = difference(lines.join("\n"), changed.join("\n"));
    assert.deepEqual([added, removed], [5000, 5000]);
  });
});

/** One to seven lines of three kinds, made of a number. */
function texts(seed) {
  const length = (seed % 7) + 1;
  return Array.from({ length }, (_, i) => "abc"[(seed * 31 + i * i * (seed % 5)) % 3]);
}

/** The length of the longest common subsequence, by the table. */
function common(old, now) {
  const table = Array.from({ length: old.length + 1 }, () => Array(now.length + 1).fill(0));
  for (let i = old.length - 1; i >= 0; i -= 1)
    for (let j = now.length - 1; j >= 0; j -= 1)
      table[i][j] =
        old[i] === now[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
  return table[0][0];
}
