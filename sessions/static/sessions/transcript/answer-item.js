/** An answer of the transcript: its blocks, and its foot. */

import { createBlock } from "../answers/blocks.js";
import { copyButton } from "../elements/copy.js";
import { formatCount, usageText } from "../words/counts.js";
import { h, setText } from "../elements/dom.js";
import { actionButton, linkButton } from "./item-actions.js";
import { setTime } from "./item-time.js";
import { createRunView } from "../answers/run-view.js";
import { runsOf } from "../log/runs.js";
import { answerText } from "../words/answer-text.js";

export function createAnswer(actions) {
  /** @type {any} */
  let now = null;
  let prompt = "";
  const time = h("time");
  const copy = copyButton("this answer", () => answerText(now));
  const link = linkButton("this answer", () => now.seq);
  const again = actionButton("Try again", "again", () => actions.send(prompt));
  const spent = h("span.answer-usage");
  const foot = h("div.answer-foot.item-actions", { hidden: true }, copy, link, again, time, spent);
  const earlier = h("p.muted.earlier", { hidden: true });
  const element = h("li.item.answer", {}, h("span.sr-only", { text: "Agent: " }), earlier, foot);
  const blocks = new Blocks(element, foot, actions.loadPart);
  return {
    element,
    update({ source, live, prompt: asked, usage }) {
      now = source;
      prompt = asked ?? "";
      earlier.hidden = !source.earlierBlocks;
      setText(earlier, earlierText(source.earlierBlocks ?? 0));
      blocks.draw(source.blocks, live);
      copy.hidden = !answerText(source);
      again.hidden = !prompt;
      foot.hidden = Boolean(live) || (copy.hidden && again.hidden);
      setTime(time, source.ts, actions.now());
      time.hidden = Boolean(source.imported);
      setText(spent, source.imported ? "Imported" : usageText(usage));
    },
  };
}

/** The blocks of an answer, in their order; a run of calls that are done lies in a row of its own. */
class Blocks {
  #element;
  #foot;
  #loadPart;
  /** @type {Map<string, import("../answers/blocks.js").BlockView & {source: any, live: string}>} */
  #views = new Map();
  /** @type {Map<string, ReturnType<typeof createRunView>>} by the first block of the run */
  #runs = new Map();

  /** @param {HTMLElement} element of the answer @param {HTMLElement} foot stands behind the blocks @param {(id: string, part: string, start: number) => Promise<any>} loadPart */
  constructor(element, foot, loadPart) {
    this.#loadPart = loadPart;
    this.#element = element;
    this.#foot = foot;
  }

  /** @param {import("../log/fold.js").Block[]} blocks @param {string} live */
  draw(blocks, live) {
    const focused = document.activeElement;
    const runs = runsOf(blocks);
    const elements = runs.flatMap((run) => this.#drawRun(run, live));
    for (const [key, { element }] of this.#runs) {
      if (elements.includes(element)) continue;
      element.remove();
      this.#runs.delete(key);
    }
    place(this.#element, elements, this.#foot);
    keepFocus(this.#element, focused);
    const plans = blocks.filter(({ blockType }) => blockType === "plan");
    plans.forEach(({ blockId }, i) =>
      this.#views.get(blockId)?.element.classList.toggle("superseded", i < plans.length - 1),
    );
  }

  /** @param {import("../log/runs.js").Run} run @returns {HTMLElement[]} */
  #drawRun(run, live) {
    const inside = run.blocks.map((block) => this.#drawBlock(block, live));
    if (run.blocks.length === 1) return inside;
    const { blockId } = run.blocks[0];
    let view = this.#runs.get(blockId);
    if (!view) {
      view = createRunView();
      this.#runs.set(blockId, view);
      // A block that a person reads stays in sight.
      view.element.toggleAttribute("open", inside.some(isInUse));
    }
    view.update(run);
    place(view.body, inside, null);
    return [view.element, ...run.out.map((block) => this.#drawBlock(block, live))];
  }

  /** @param {import("../log/fold.js").Block} block @returns {HTMLElement} */
  #drawBlock(block, live) {
    let view = this.#views.get(block.blockId);
    if (!view) {
      view = {
        ...createBlock(block, (part, start) => this.#loadPart(block.blockId, part, start)),
        source: null,
        live: "",
      };
      this.#views.set(block.blockId, view);
    }
    if (view.source !== block || view.live !== live) view.update(block, live);
    view.source = block;
    view.live = live;
    return view.element;
  }
}

/** @param {HTMLElement} element of a block */
function isInUse(element) {
  return element.hasAttribute("open") || element.contains(document.activeElement);
}

/** Puts elements into a parent, in order; one that stands right is not touched. @param {Element|null} last */
function place(parent, elements, last) {
  let next = last;
  for (const element of elements.toReversed()) {
    if (element.parentNode !== parent || element.nextElementSibling !== next)
      parent.insertBefore(element, next);
    next = element;
  }
}

/** An element that was moved has lost the focus. @param {Element} parent @param {Element|null} focused */
function keepFocus(parent, focused) {
  const isLost = focused !== document.activeElement && parent.contains(focused);
  if (isLost && focused instanceof HTMLElement) focused.focus({ preventScroll: true });
}

/** @param {number} count */
function earlierText(count) {
  const steps = count === 1 ? "step is" : "steps are";
  return `${formatCount(count)} earlier ${steps} not shown here. The export of the chat has all of them.`;
}
