/** One view per block of an answer. A view is updated in place: nothing that a person opened or selected is lost. */

import { copyButton } from "./copy.js";
import { h, icon, ICONS, setText } from "./dom.js";
import { GrowingText } from "./growing-text.js";
import { setHtml } from "./html.js";
import { visible } from "./visible.js";
import { readable } from "./text.js";

/** @typedef {{element: HTMLElement, update: (block: any, live: string) => void}} BlockView */

/** @param {any} block @returns {BlockView} */
export function createBlock(block) {
  const make = Object.hasOwn(MAKERS, block.blockType) ? MAKERS[block.blockType] : textBlock;
  return make();
}

const MAKERS = { text: textBlock, thinking: thinkingBlock, tool_use: toolBlock, plan: planBlock };

function textBlock() {
  const element = h("div.prose.plain");
  const plain = new GrowingText(element);
  /** @type {string|null} */
  let html = null;
  return {
    element,
    update(block, live) {
      element.classList.toggle("streaming", Boolean(live) && !block.done);
      if (!block.html) {
        plain.set(block.content);
        return;
      }
      if (html === block.html) return;
      html = block.html;
      element.classList.remove("plain");
      setHtml(element, block.html);
      for (const part of element.children)
        if (part.tagName !== "PRE") part.setAttribute("dir", "auto");
      element.querySelectorAll("pre").forEach(frameCode);
      element.querySelectorAll("table").forEach((table) => {
        const frame = h("div.table-frame", {
          tabindex: "0",
          role: "region",
          "aria-label": "Table",
        });
        table.replaceWith(frame);
        frame.append(table);
      });
    },
  };
}

function frameCode(pre) {
  pre.tabIndex = 0; // a wide one is scrolled by keyboard
  pre.translate = false;
  const language = /^language-(\S+)/.exec(pre.querySelector("code")?.className ?? "")?.[1] ?? "";
  const frame = h("div.code-frame");
  pre.replaceWith(frame);
  frame.append(
    h(
      "div.code-head",
      { "data-language": language },
      copyButton("this code", () => pre.textContent),
    ),
    pre,
  );
}

function disclosure(kind, path) {
  const label = h("span.block-label");
  const hint = h("span.block-hint");
  const status = h("span.block-status");
  const body = h("div.block-body");
  const element = h(
    `details.block.${kind}`,
    {},
    h("summary", {}, icon(path), label, hint, status, icon(ICONS.chevron)),
    body,
  );
  return { element, label, hint, status, body };
}

function thinkingBlock() {
  const { element, label, body } = disclosure("thinking", ICONS.thought);
  const text = new GrowingText(body);
  return {
    element,
    update(block, live) {
      const going = Boolean(live) && !block.done;
      element.classList.toggle("going", going);
      setText(label, going ? "Thinking" : "Thought");
      text.set(block.content);
    },
  };
}

const TOOL_STATUS = {
  completed: ["done", "Done"],
  failed: ["failed", "Failed"],
  cancelled: ["failed", "Cancelled"],
  rejected: ["failed", "Denied"],
};

function toolBlock() {
  const { element, label, hint, status, body } = disclosure("tool", ICONS.tool);
  const input = h("pre", { tabindex: "0", translate: "no" });
  const result = h("pre", { tabindex: "0", translate: "no" });
  let given = "";
  const part = (title, pre, text) =>
    h(
      "section",
      { hidden: true },
      h(
        "div.code-head",
        {},
        h("h4", { text: title }),
        copyButton(`the ${title.toLowerCase()}`, text),
      ),
      pre,
    );
  const inputPart = part("Input", input, () => given); // copied without marks
  const resultPart = part("Result", result, () => result.textContent);
  const nothing = h("p.muted", { text: "No input." });
  body.append(inputPart, nothing, resultPart);
  return {
    element,
    update(block, live) {
      given = readable(block.input);
      const title = block.content || given.split("\n", 1)[0];
      setText(label, visible(block.toolName || block.toolKind || "Tool"));
      setText(hint, title === block.toolName ? "" : visible(title.slice(0, 200)));
      setText(input, visible(given));
      inputPart.hidden = !given;
      nothing.hidden = Boolean(given);
      setText(result, block.result || "(no output)");
      resultPart.hidden = block.status === null;
      const [kind, word] = toolStatus(block, live);
      status.dataset.kind = kind;
      setText(status, word);
    },
  };
}

function toolStatus(block, live) {
  if (block.status !== null) return TOOL_STATUS[block.status] ?? ["done", block.status];
  if (live.split(" ").includes(block.toolId)) return ["asked", "Waits for you"];
  return live ? ["going", "Running"] : ["failed", "No result"];
}

const PLAN_MARKS = { completed: "done", in_progress: "going", pending: "open" };

/** Each plan of an answer is a block of its own; only the last one is open to the eye. */
function planBlock() {
  const list = h("ol.plan-steps");
  const plain = h("div.prose.plain");
  const element = h(
    "section.block.plan",
    { "aria-label": "Plan" },
    h("h4", {}, icon(ICONS.plan), "Plan"),
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
