/** A tool call in an answer: one line with its state and its time; its input and output on demand. */

import { copyButton } from "../elements/copy.js";
import { disclosure } from "../elements/disclosure.js";
import { diffElements } from "../diff/diff-view.js";
import { h, ICONS, setIcon, setText } from "../elements/dom.js";
import { CHAT_ICONS } from "../elements/chat-icons.js";
import { lastLineOf, OutputView } from "./output-view.js";
import { placesOf } from "../elements/path-button.js";
import { filesOf } from "./result-files.js";
import { readable } from "../words/answer-text.js";
import { durationText } from "../words/durations.js";
import { visible } from "../words/visible.js";
import { showAll, valueOf } from "./whole-request.js";
import { WholeText } from "./whole-text.js";
import { wrapSwitch } from "./wrap-lines.js";

/** The icon of a kind of tool; an unknown kind has that of a tool. */
const SIGNS = {
  read: ICONS.file,
  edit: ICONS.edit,
  delete: CHAT_ICONS.bin,
  move: CHAT_ICONS.move,
  search: CHAT_ICONS.search,
  execute: CHAT_ICONS.terminal,
  think: CHAT_ICONS.thought,
  fetch: CHAT_ICONS.globe,
};

/** The state of a call that has ended: its kind, and its word. @type {Record<string, [string, string]>} */
const ENDS = {
  completed: ["done", "Done"],
  failed: ["failed", "Failed"],
  cancelled: ["stopped", "Stopped"],
  rejected: ["denied", "Denied"],
};

const MAX_HINT = 200;
/** Fields that are drawn again when they change. */
const SHOWN = ["diffs", "images", "locations", "cut"];
const LISTS = ["diffs", "locations", "images", "resources"];

/** @param {string|null} kind of a tool */
export function signOf(kind) {
  return SIGNS[kind ?? ""] ?? CHAT_ICONS.tool;
}

/** @param {import("./whole-text.js").Load} load a piece of a part that was cut @returns {import("./blocks.js").BlockView} */
export function toolBlock(load) {
  const { element, label, hint, status, body, sign } = disclosure("tool", CHAT_ICONS.tool);
  const input = h("pre", { tabindex: "0", translate: "no" });
  const result = h("pre.output", { tabindex: "0", translate: "no" });
  const output = new OutputView(result);
  let given = "";
  const inputPart = part("Input", input, () => given); // copied without marks
  const resultPart = part("Result", result, () => result.textContent ?? "", wrapSwitch());
  const nothing = h("p.muted", { text: "No input." });
  const shown = h("div.tool-shown");
  /** @type {any} */
  let drawn = null;
  const drawTexts = () => {
    given = wholeInput.text === null ? readable(drawn.input) : readable(valueOf(wholeInput.text));
    setText(input, visible(given));
    output.set(wholeResult.text ?? (drawn.result || "(no output)"));
  };
  const wholeInput = new WholeText("input", load, drawTexts);
  const wholeResult = new WholeText("result", load, drawTexts);
  inputPart.append(wholeInput.element);
  resultPart.append(wholeResult.element);
  const drawLists = (block) => {
    const names = LISTS.filter((name) => block.cut?.[name]);
    shown.replaceChildren(
      ...placesOf(block),
      ...diffElements(block.diffs, { opens: true }),
      ...filesOf(block),
      ...(names.length ? [showAll(block, load, drawLists, names)] : []),
    );
  };
  body.append(inputPart, nothing, shown, resultPart);
  return {
    element,
    update(block, live) {
      const before = drawn;
      drawn = block;
      wholeInput.update(block.cut);
      wholeResult.update(block.cut);
      drawTexts();
      setIcon(sign, signOf(block.toolKind));
      setText(label, visible(block.toolName || block.toolKind || "Tool"));
      setText(hint, visible(hintOf(block, given)));
      inputPart.hidden = !given;
      nothing.hidden = Boolean(given);
      resultPart.hidden = block.status === null && !block.result;
      element.classList.toggle("nested", Boolean(block.parentToolId));
      if (SHOWN.some((name) => before?.[name] !== block[name])) drawLists(block);
      const [kind, word] = stateOf(block, live);
      status.dataset.kind = kind;
      setText(status, [word, timeOf(block)].filter(Boolean).join(" · "));
    },
  };
}

/** @param {string} title @param {HTMLElement} pre @param {() => string} text to be copied @param {HTMLElement|null} [button] */
function part(title, pre, text, button = null) {
  const copy = copyButton(`the ${title.toLowerCase()}`, text);
  const head = h("div.code-head", {}, h("h3", { text: title }), button, copy);
  return h("section", { hidden: true }, head, pre);
}

/** The call in a line; of one that runs, the last line that it has put out. */
function hintOf(block, given) {
  const output = block.status === null ? lastLineOf(block.result ?? "") : "";
  const title = output || block.content || given.split("\n", 1)[0];
  return title === block.toolName ? "" : title.slice(0, MAX_HINT);
}

/** @param {any} block @param {string} live as of an item */
function stateOf(block, live) {
  if (block.status !== null) return ENDS[block.status] ?? ["done", block.status];
  if (live.split(" ").includes(block.toolId)) return ["asked", "Waits for you"];
  if (live.startsWith("stale")) return ["stale", "Last seen running"];
  return live ? ["going", "Running"] : ENDS.cancelled;
}

/** A person's decision takes its own time: that of a denied call says nothing about the tool. */
function timeOf({ status, tookMs }) {
  return status === "rejected" ? "" : durationText(tookMs ?? 0);
}
