/** Long lists of rows, drawn part by part, so that no frame is late. */

const PART = 50;
/** @type {WeakMap<Element, number>} the filling that a box is in */
const turns = new WeakMap();

/**
 * Fill a box with rows; a later call for the same box ends this one.
 * @param {Element} box @param {number} count @param {(from: number, to: number) => Element[]} make
 * @param {() => void} [done]
 */
export function fill(box, count, make, done = () => {}) {
  const turn = (turns.get(box) ?? 0) + 1;
  turns.set(box, turn);
  box.replaceChildren();
  const step = (/** @type {number} */ from) => {
    if (turns.get(box) !== turn) return;
    const to = Math.min(from + PART, count);
    const part = document.createElement("span");
    part.className = "rows-part";
    part.style.setProperty("--rows", String(to - from));
    part.append(...make(from, to));
    box.append(part);
    if (to < count) setTimeout(() => step(to));
    else done();
  };
  step(0);
}
