/** Two texts → the lines that differ, with a few around them. Pure; bounded in time and in length. */

/**
 * @typedef {{sign: " "|"+"|"-"|"…", text: string, at?: number}} Row "…": lines that are left out; at: the index of the
 *   line in its text, a removed one in the text before
 * @typedef {{rows: Row[], added: number, removed: number}} Difference
 */

/** Lines that stay around a change. */
const AROUND = 3;
/** Beyond so many differing lines the whole middle counts as replaced. */
const MAX_EDITS = 300;
const MIDDLE = MAX_EDITS + 2;

/** @param {string|null} before null: a new file @param {string} after @returns {Difference} */
export function difference(before, after) {
  const old = linesOf(before ?? "");
  const now = linesOf(after);
  let top = 0;
  while (top < old.length && top < now.length && old[top] === now[top]) top += 1;
  let end = 0;
  const most = Math.min(old.length, now.length) - top;
  while (end < most && old[old.length - 1 - end] === now[now.length - 1 - end]) end += 1;
  const middle = edits(old.slice(top, old.length - end), now.slice(top, now.length - end));
  const rows = [
    ...old.slice(0, top).map(kept),
    ...middle,
    ...old.slice(old.length - end).map(kept),
  ];
  return {
    rows: folded(placed(rows)),
    added: middle.filter(({ sign }) => sign === "+").length,
    removed: middle.filter(({ sign }) => sign === "-").length,
  };
}

/** @param {string} text */
function linesOf(text) {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** @param {string} text @returns {Row} */
function kept(text) {
  return { sign: " ", text };
}

/** The shortest way from one list to the other (Myers), or all of both. @returns {Row[]} */
function edits(old, now) {
  const traces = traceOf(old, now);
  if (!traces)
    return [
      ...old.map((text) => /** @type {Row} */ ({ sign: "-", text })),
      ...now.map((text) => /** @type {Row} */ ({ sign: "+", text })),
    ];
  /** @type {Row[]} */
  const rows = [];
  let x = old.length;
  let y = now.length;
  for (let d = traces.length - 1; d >= 0; d -= 1) {
    const reach = traces[d];
    const k = x - y;
    const isDown = k === -d || (k !== d && at(reach, k - 1) < at(reach, k + 1));
    const from = isDown ? k + 1 : k - 1;
    const fromX = d === 0 ? 0 : at(reach, from);
    const fromY = fromX - from;
    while (
      x > Math.max(fromX, 0) &&
      y > Math.max(fromY, 0) &&
      (d === 0 || x - fromX + (y - fromY) > 1)
    ) {
      x -= 1;
      y -= 1;
      rows.push(kept(old[x]));
    }
    if (d === 0) break;
    if (isDown) rows.push({ sign: "+", text: now[fromY] });
    else rows.push({ sign: "-", text: old[fromX] });
    x = fromX;
    y = fromY;
  }
  return rows.reverse();
}

/** @param {Int32Array} reach @param {number} k a diagonal */
function at(reach, k) {
  return reach[k + MIDDLE];
}

/** The furthest points after each number of edits; null when there are too many. */
function traceOf(old, now) {
  const reach = new Int32Array(2 * MIDDLE + 1).fill(-1);
  reach[MIDDLE + 1] = 0;
  const traces = [];
  for (let d = 0; d <= Math.min(old.length + now.length, MAX_EDITS); d += 1) {
    traces.push(reach.slice());
    for (let k = -d; k <= d; k += 2) {
      const isDown = k === -d || (k !== d && at(reach, k - 1) < at(reach, k + 1));
      let x = isDown ? at(reach, k + 1) : at(reach, k - 1) + 1;
      let y = x - k;
      while (x < old.length && y < now.length && old[x] === now[y]) {
        x += 1;
        y += 1;
      }
      reach[k + MIDDLE] = x;
      if (x >= old.length && y >= now.length) return traces;
    }
  }
  return null;
}

/** The rows with their places in the texts. @param {Row[]} rows @returns {Row[]} */
function placed(rows) {
  let [old, now] = [0, 0];
  return rows.map((row) => {
    const at = row.sign === "-" ? old : now;
    if (row.sign !== "+") old += 1;
    if (row.sign !== "-") now += 1;
    return { ...row, at };
  });
}

/** Long runs of equal lines become one row. @param {Row[]} rows @returns {Row[]} */
function folded(rows) {
  const near = new Uint8Array(rows.length);
  rows.forEach(({ sign }, i) => {
    if (sign === " ") return;
    near.fill(1, Math.max(0, i - AROUND), i + AROUND + 1);
  });
  /** @type {Row[]} */
  const shown = [];
  let hidden = 0;
  const flush = () => {
    if (hidden) shown.push({ sign: "…", text: `${hidden} equal lines` });
    hidden = 0;
  };
  rows.forEach((row, i) => {
    if (!near[i]) {
      hidden += 1;
      return;
    }
    flush();
    shown.push(row);
  });
  flush();
  return shown;
}
