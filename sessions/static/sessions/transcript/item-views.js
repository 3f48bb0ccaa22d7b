/** The items of the transcript as elements, beside the prompts: answers, notices, endings and skips. */

import { createAnswer } from "./answer-item.js";
import { byId, h, setText } from "../elements/dom.js";
import { actionButton } from "./item-actions.js";
import { loadedText, skipText } from "../words/skip-text.js";
import { under } from "../server/paths.js";
import { isAccident } from "../words/answer-text.js";
import { endingOf } from "../words/text.js";

/** The code of the notice about files that were restored. */
const RESTORED = "restored";
/** The server's codes of the notices about a request and a question without an answer. */
const EXPIRED = new Set(["permission_expired", "question_expired"]);
/** The kind of the notice about a request that a rule has answered. */
const BY_RULE = "rule";
const WORKTREE = ["made", "kept", "merged", "discarded"].map((end) => `worktree_${end}`);
/** Kinds of notices that nothing follows from. */
const QUIET = new Set([
  BY_RULE,
  "imported",
  "mcp_servers",
  RESTORED,
  ...WORKTREE,
  "discarded",
  "staged",
  "unstaged",
  "committed",
  "waiting",
]);

/**
 * @typedef {{goBack: (prompt: any) => void, undo: (seq: number, what: {files?: boolean, chat?: boolean}) => void,
 *   retry: (id: string) => void, discard: (id: string) => void, edit: (text: string) => void, send: (text: string) => void,
 *   loadSkip: (id: string) => void, loadPart: (id: string, part: string, start: number) => Promise<any>, now: () => number, hold: () => void}} Actions now: the server's time; hold: stays at the place that is read
 */

/** @param {import("../log/items.js").Item} item @param {Actions} actions */
export function createItem({ kind, source }, actions) {
  if (kind === "skip") return skipItem(actions);
  if (kind === "ending") return endingItem(actions);
  if (kind === "working") return workingItem();
  if (kind === "rewound") return rewoundItem(actions);
  return source.role === "notice" ? noticeItem(actions) : createAnswer(actions);
}

/** Messages that were taken back, in one line; those of all such lines are shown together. @param {Actions} actions */
function rewoundItem(actions) {
  const text = h("span");
  const show = h("button.link.show-rewound", { type: "button", "aria-expanded": "false" });
  const list = byId("transcript");
  const set = (isShown) => {
    setText(show, isShown ? "Hide" : "Show");
    show.setAttribute("aria-expanded", String(isShown));
  };
  show.addEventListener("click", () => {
    const isShown = list.classList.toggle("shows-rewound");
    for (const other of list.querySelectorAll(".show-rewound")) {
      setText(other, isShown ? "Hide" : "Show");
      other.setAttribute("aria-expanded", String(isShown));
    }
  });
  /** @type {any} */
  let rewind = null;
  const undo = h("button.link", {
    type: "button",
    text: "Undo",
    onclick: () => actions.undo(rewind.seq, { chat: true }),
  });
  const element = h("li.item.rewound-line", {}, text, " ", show, " ", undo);
  return {
    element,
    update({ source, live }) {
      rewind = source;
      const count = Number(live);
      setText(
        text,
        count === 1 ? "1 message was taken back ·" : `${count} messages were taken back ·`,
      );
      set(list.classList.contains("shows-rewound"));
    },
  };
}

function workingItem() {
  const text = h("span");
  const element = h("li.working", {}, h("span.working-dots", { "aria-hidden": "true" }), text);
  return {
    element,
    update: ({ live }) => setText(text, live.startsWith("stale") ? "Last seen at work" : "Working"),
  };
}

/** A request or a question that ran out can be asked again: a prompt tells the agent so. @param {Actions} actions */
function noticeItem(actions) {
  const text = h("span");
  const again = h(
    "span.item-actions",
    { hidden: true },
    actionButton("Ask again", "again", () =>
      actions.send(`${text.textContent}\nPlease ask again and continue.`),
    ),
  );
  /** @type {any} */
  let now = null;
  const undo = h("button.link", {
    type: "button",
    text: "Undo",
    hidden: true,
    onclick: () => actions.undo(now.seq, { files: true }),
  });
  const word = h("strong", { text: "Notice " });
  const rules = h("a", { text: "Show the rules", href: under("/account/rules/"), hidden: true });
  const element = h("li.item.notice", {}, word, text, " ", rules, undo, again);
  return {
    element,
    update({ source }) {
      now = source;
      const isByRule = source.code === BY_RULE;
      undo.hidden = source.code !== RESTORED;
      setText(text, source.text || source.code);
      again.hidden = !EXPIRED.has(source.code);
      word.hidden = QUIET.has(source.code);
      rules.hidden = !isByRule;
      element.dataset.kind = word.hidden ? "quiet" : "plain";
    },
  };
}

function endingItem(actions) {
  const text = h("span");
  const detail = h("span.ending-detail");
  /** @type {any} */
  let prompt = null;
  const buttons = h(
    "span.item-actions",
    {},
    actionButton("Try again", "again", () => actions.send(prompt.text)),
    actionButton("Edit", "edit", () => actions.edit(prompt.text)),
  );
  const element = h("li.item.ending", {}, h("span", {}, text, detail), buttons);
  return {
    element,
    update({ source }) {
      prompt = source;
      setText(text, endingOf(source.stopReason) ?? "");
      setText(detail, source.error ?? "");
      element.dataset.kind = isAccident(source.stopReason) ? "failed" : "plain";
    },
  };
}

function skipItem(actions) {
  const text = h("span");
  const load = h("button.link", { type: "button" });
  const element = h("li.item.skip", { tabindex: "-1" }, text, " ", load);
  /** @type {any} */
  let skip = null;
  load.addEventListener("click", () => actions.loadSkip(skip.id));
  return {
    element,
    update({ source }) {
      skip = source;
      const total = source.to - source.from + 1;
      element.dataset.state = source.state;
      setText(text, source.state === "loaded" ? loadedText(source.counts) : skipText(source));
      if (source.state === "loaded" && document.activeElement === load) element.focus();
      load.hidden = source.state === "loaded";
      load.setAttribute("aria-disabled", String(source.state === "loading")); // disabled would lose the focus
      setText(
        load,
        {
          open: total === 1 ? "Show it" : "Show them",
          failed: "Loading failed. Try again",
          loading: `Loading ${source.loaded} of ${total}`,
          loaded: "",
        }[source.state],
      );
    },
  };
}
