/**
 * The marks of texts that are not whole (docs/reference/events.md#cut-texts); the twin of
 * sessions/eventlog/folding/marks.py.
 *
 * @typedef {import("../log/fold.js").Block} Block
 */

/** A block with the sizes of parts that are cut; undefined: the part is whole now. @param {any} block @param {Record<string, number|undefined>} sizes */
export function marked({ cut: known, ...block }, sizes) {
  const told = Object.entries({ ...known, ...sizes }).filter(([, size]) => size !== undefined);
  return told.length ? { ...block, cut: Object.fromEntries(told) } : block;
}

/** A block with a piece more: behind a cut only the size grows, its place is not held. @param {any} block @param {any} e @param {"content"|"result"} part */
export function grown(block, e, part) {
  const told = e.cut?.delta;
  const before = block.cut?.[part];
  if (before !== undefined) return marked(block, { [part]: before + (told ?? bytesOf(e.delta)) });
  const held = block[part] ?? "";
  const after = { ...block, [part]: held + e.delta };
  return told === undefined ? after : marked(after, { [part]: bytesOf(held) + told });
}

/** The bytes of a text. @param {string} text */
function bytesOf(text) {
  return new TextEncoder().encode(text).length;
}
