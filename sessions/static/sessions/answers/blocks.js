/** One view per block of an answer. A view is updated in place: nothing that a person opened or selected is lost. */

import { disclosure } from "../elements/disclosure.js";
import { h, icon, setText } from "../elements/dom.js";
import { CHAT_ICONS } from "../elements/chat-icons.js";
import { GrowingText } from "../log/growing-text.js";
import { textBlock } from "./text-block.js";
import { toolBlock } from "./tool-block.js";
import { WholeText } from "./whole-text.js";

/** @typedef {{element: HTMLElement, update: (block: any, live: string) => void}} BlockView */

/** @param {any} block @param {import("./whole-text.js").Load} load a piece of a part of it @returns {BlockView} */
export function createBlock(block, load) {
  const make = Object.hasOwn(MAKERS, block.blockType) ? MAKERS[block.blockType] : textBlock;
  return make(load);
}

const MAKERS = { text: textBlock, thinking: thinkingBlock, tool_use: toolBlock, plan: planBlock };

function thinkingBlock(load) {
  const { element, label, body } = disclosure("thinking", CHAT_ICONS.thought);
  const text = new GrowingText(body);
  let content = "";
  const draw = () => text.set(whole.text ?? content);
  const whole = new WholeText("content", load, draw);
  body.after(whole.element);
  return {
    element,
    update(block, live) {
      const going = Boolean(live) && !block.done;
      element.classList.toggle("going", going);
      setText(label, going ? "Thinking" : "Thought");
      content = block.content;
      whole.update(block.cut);
      draw();
    },
  };
}

const PLAN_MARKS = { completed: "done", in_progress: "going", pending: "open" };

/** Each plan of an answer is a block of its own; only the last one is open to the eye. */
function planBlock() {
  const list = h("ol.plan-steps");
  const plain = h("div.prose.plain");
  const element = h(
    "section.block.plan",
    { "aria-label": "Plan" },
    h("h3", {}, icon(CHAT_ICONS.plan), "Plan"),
    list,
    plain,
  );
  const text = new GrowingText(plain);
  return {
    element,
    update(block) {
      const steps = block.input?.entries;
      list.hidden = !Array.isArray(steps);
      plain.hidden = !list.hidden;
      if (list.hidden) text.set(block.content);
      else list.replaceChildren(...steps.map(planStep));
    },
  };
}

function planStep({ text, status }) {
  return h(
    "li",
    { "data-kind": PLAN_MARKS[status] ?? "open" },
    h("span", { text }),
    h("span.sr-only", { text: ` (${String(status ?? "pending").replace("_", " ")})` }),
  );
}
