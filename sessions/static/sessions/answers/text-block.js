/**
 * A block of text: rendered as far as its parts are settled, raw behind that.
 *
 * The last part alone is raw while an answer streams, and its code has a frame already. A part that is shown is
 * not touched again, so that the end of the answer moves nothing that is read.
 */

import { frameCode } from "./code-frame.js";
import { h } from "../elements/dom.js";
import { withoutBlankLines } from "../log/fences.js";
import { setHtml } from "../elements/html.js";
import { OpenText } from "./open-text.js";
import { linkPaths } from "../elements/path-button.js";
import { WholeText } from "./whole-text.js";

/** @param {import("./whole-text.js").Load} load a piece of the text, where it came cut @returns {import("./blocks.js").BlockView} */
export function textBlock(load) {
  const raw = new OpenText();
  const tail = raw.element;
  const prose = h("div.prose", {}, tail);
  let html = "";
  let end = 0;

  /** @param {string} next */
  function show(next) {
    if (next === html) return;
    const isLonger = next.startsWith(html);
    if (!isLonger) prose.replaceChildren(tail);
    const parts = partsOf(isLonger ? next.slice(html.length) : next, !isRead(tail));
    tail.before(...parts);
    raw.handOver(parts);
    html = next;
  }

  /** @type {any} */
  let now = null;
  function draw() {
    const content = whole.text ?? now.content;
    const markup = now.html ?? whole.html;
    const { rendered } = now;
    if (markup) {
      show(markup);
      end = content.length;
    } else if (rendered && rendered.to <= content.length) {
      show(rendered.html);
      end = rendered.to;
    }
    const open = content.slice(end);
    raw.set(end ? withoutBlankLines(open) : open); // there is a margin between the parts
    tail.hidden = end > 0 && end === content.length;
  }
  const whole = new WholeText("content", load, draw);
  const element = h("div.with-whole", {}, prose, whole.element);
  return {
    element,
    update(block, live) {
      now = block;
      if (prose.parentNode !== element) element.prepend(prose); // an extension took it away
      if (tail.parentNode !== prose) prose.append(tail);
      prose.classList.toggle("streaming", Boolean(live) && !block.done);
      whole.update(block.cut);
      draw();
    },
  };
}

/**
 * Whether a person reads the open part: long code that it becomes is not folded under the eye.
 * @param {HTMLElement} tail
 */
function isRead(tail) {
  /** @type {HTMLElement|null} */
  const scroller = tail.isConnected && !tail.hidden ? tail.closest("#scroll") : null;
  if (!scroller || "follows" in scroller.dataset) return false;
  const { top, bottom } = tail.getBoundingClientRect();
  const edges = scroller.getBoundingClientRect();
  return top < edges.bottom && bottom > edges.top;
}

/**
 * The elements of some markup, with the frames of code and tables.
 * @param {string} html @param {boolean} isFolded whether long code is folded @returns {Element[]}
 */
export function partsOf(html, isFolded) {
  const holder = h("div");
  setHtml(holder, html);
  linkPaths(holder);
  for (const part of holder.children) if (part.tagName !== "PRE") part.setAttribute("dir", "auto");
  holder.querySelectorAll("pre").forEach((pre) => frameCode(pre, isFolded));
  holder.querySelectorAll("table").forEach(frameTable);
  return [...holder.children];
}

/** @param {Element} table a wide one is scrolled by keyboard */
function frameTable(table) {
  const frame = h("div.table-frame", { tabindex: "0", role: "region", "aria-label": "Table" });
  table.replaceWith(frame);
  frame.append(table);
}
