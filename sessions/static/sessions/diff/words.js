/** The words by which two lines differ. Pure; bounded in time. */

/** @typedef {{text: string, isChanged: boolean}} Part */

/** Longer lines are shown without marks. */
const MAX_CHARS = 2_000;
/** So many words in the middle of two lines are compared one by one. */
const MAX_WORDS = 80;
/** Lines that have less in common are two lines, and no change of one. */
const LEAST_COMMON = 0.3;

/** @param {string} before @param {string} after @returns {[Part[], Part[]]|null} null: without marks */
export function wordMarks(before, after) {
  if (before.length > MAX_CHARS || after.length > MAX_CHARS) return null;
  const old = wordsOf(before);
  const now = wordsOf(after);
  let top = 0;
  while (top < old.length && top < now.length && old[top] === now[top]) top += 1;
  let end = 0;
  const most = Math.min(old.length, now.length) - top;
  while (end < most && old.at(-1 - end) === now.at(-1 - end)) end += 1;
  const [removed, added] = middle(
    old.slice(top, old.length - end),
    now.slice(top, now.length - end),
  );
  const marks = /** @type {[Part[], Part[]]} */ ([
    joined([...plain(old.slice(0, top)), ...removed, ...plain(old.slice(old.length - end))]),
    joined([...plain(now.slice(0, top)), ...added, ...plain(now.slice(now.length - end))]),
  ]);
  return isAlike(marks[0], before, after) ? marks : null;
}

/** @param {string} text */
function wordsOf(text) {
  return text.match(/[\p{L}\p{N}_]+|\s+|[^]/gu) ?? [];
}

/** @param {string[]} words @returns {Part[]} */
function plain(words) {
  return words.map((text) => ({ text, isChanged: false }));
}

/** The words of the middle, by the longest row of words that both have. @param {string[]} old @param {string[]} now */
function middle(old, now) {
  const changed = (/** @type {string} */ text) => ({ text, isChanged: true });
  if (old.length > MAX_WORDS || now.length > MAX_WORDS) return [old.map(changed), now.map(changed)];
  const width = now.length + 1;
  const longest = new Uint8Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i -= 1)
    for (let k = now.length - 1; k >= 0; k -= 1)
      longest[i * width + k] =
        old[i] === now[k]
          ? longest[(i + 1) * width + k + 1] + 1
          : Math.max(longest[(i + 1) * width + k], longest[i * width + k + 1]);
  /** @type {Part[]} */
  const removed = [];
  /** @type {Part[]} */
  const added = [];
  let i = 0;
  let k = 0;
  while (i < old.length || k < now.length) {
    if (i < old.length && k < now.length && old[i] === now[k]) {
      removed.push({ text: old[i], isChanged: false });
      added.push({ text: now[k], isChanged: false });
      i += 1;
      k += 1;
    } else if (
      k >= now.length ||
      (i < old.length && longest[(i + 1) * width + k] >= longest[i * width + k + 1])
    ) {
      removed.push(changed(old[i]));
      i += 1;
    } else {
      added.push(changed(now[k]));
      k += 1;
    }
  }
  return [removed, added];
}

/** @param {Part[]} parts neighbours of one kind become one */
function joined(parts) {
  /** @type {Part[]} */
  const found = [];
  for (const part of parts) {
    const last = found.at(-1);
    if (last?.isChanged === part.isChanged) last.text += part.text;
    else found.push({ ...part });
  }
  return found;
}

/** @param {Part[]} parts @param {string} before @param {string} after */
function isAlike(parts, before, after) {
  const common = parts.filter(({ isChanged }) => !isChanged).map(({ text }) => text.trim());
  const length = common.join("").length;
  const shorter = Math.min(before.trim().length, after.trim().length);
  return length > 0 && length >= LEAST_COMMON * shorter;
}
