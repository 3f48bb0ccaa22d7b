/** The action in a permission card: its fields and changes, which scroll, and the way to what is below. */

import { formatCount } from "../words/counts.js";
import { h, hiddenBelow, setText } from "../elements/dom.js";
import { partsOf } from "../answers/text-block.js";
import { visible } from "../words/visible.js";

/** A text of more lines is long: on a wide screen it stands in small type beside the answers. */
const LONG_LINES = 14;
/** So many characters fill a line of a card. */
const LINE_CHARS = 80;

/** @typedef {import("../words/action.js").Part} Part */

/** Whether the texts of an action fill a card. @param {Part[]} parts */
export function isLong(parts) {
  const lines = parts.flatMap(({ text }) => text.split("\n"));
  const rows = lines.map((line) => Math.max(1, Math.ceil(line.length / LINE_CHARS)));
  return rows.reduce((sum, count) => sum + count, 0) > LONG_LINES;
}

/**
 * @param {{parts: Part[], plan?: string|null, isCut: boolean}} action plan: html of the part with this name; isCut: its end
 *   is not there yet
 * @param {HTMLElement[]} diffs
 * @param {{read: () => void, open: () => void}} on read: its end was on the screen; open: it wants all the room
 */
export function actionElement({ parts, plan, isCut }, diffs, on) {
  const box = h(
    "div.permission-action",
    { tabindex: "0", role: "region", "aria-label": "The action" },
    ...parts.map((part) => fieldElement(part, plan)),
    ...diffs,
  );
  const rest = [...box.querySelectorAll(".diff-rest")].map((pre) => ({
    label: "",
    text: pre.textContent ?? "",
  }));
  const all = linesOf([...parts, ...rest]) + box.querySelectorAll(".diff-row").length;
  const unfold = h("button.link", {
    type: "button",
    text: all > 1 ? `Show all ${formatCount(all)} lines` : "Show all of it",
  });
  const note = h("span");
  const more = h("p.permission-more", { hidden: true }, unfold, " ", note);
  unfold.hidden = isCut;
  const measure = () => {
    const below = hiddenBelow(box);
    const isMore = below >= 4;
    if (!isMore && box.clientHeight > 0) on.read();
    more.hidden = !isMore;
    box.classList.toggle("has-more", isMore);
    const lines = Math.round(below / (parseFloat(getComputedStyle(box).lineHeight) || 20));
    setText(note, unfold.hidden ? belowText(lines) : "Then you can allow it.");
  };
  unfold.addEventListener("click", () => {
    box.focus();
    unfold.hidden = true;
    on.open();
    measure();
  });
  box.addEventListener("scroll", measure, { passive: true });
  new ResizeObserver(measure).observe(box);
  return h("div.permission-body", {}, box, more);
}

/** @param {number} lines */
function belowText(lines) {
  return lines > 1
    ? `${formatCount(lines)} more lines below: scroll to read them, then you can allow it`
    : "More below: scroll to read it, then you can allow it";
}

/** @param {Part[]} parts */
function linesOf(parts) {
  return parts.reduce((sum, { text }) => sum + text.trimEnd().split("\n").length, 0);
}

/** @param {Part} part @param {string|null} [plan] */
function fieldElement({ label, text }, plan) {
  return h(
    "div.permission-field",
    {},
    label && h("h4", { text: visible(label), translate: "no" }),
    plan && label === "plan" ? planElement(plan, text) : textElement(text),
  );
}

/**
 * A plan as the server has rendered it, and as the agent wrote it. Nothing of it is folded, and no character hides.
 * @param {string} html @param {string} text
 */
function planElement(html, text) {
  const prose = h("div.prose", {}, ...partsOf(html, false));
  for (const details of prose.querySelectorAll("details")) details.open = true;
  const texts = document.createTreeWalker(prose, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode())
    node.nodeValue = visible(node.nodeValue ?? "");
  return h(
    "div",
    {},
    prose,
    h("details", {}, h("summary", { text: "As the agent wrote it" }), textElement(text)),
  );
}

/** @param {string} text */
function textElement(text) {
  return h("pre", { text: visible(text), translate: "no" });
}
