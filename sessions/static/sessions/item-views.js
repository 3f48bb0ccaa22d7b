/** The items of the transcript as elements: prompts, answers, notices, endings and skips. */

import { createBlock } from "./blocks.js";
import { copyButton } from "./copy.js";
import { h, setText } from "./dom.js";
import { GrowingText } from "./growing-text.js";
import {
  answerText,
  deliveryOf,
  endingOf,
  isAccident,
  isLong,
  loadedText,
  momentText,
  outboxText,
  skipText,
  timeText,
  usageText,
} from "./text.js";

/**
 * @typedef {{retry: (id: string) => void, discard: (id: string) => void, again: (text: string) => void,
 *   loadSkip: (id: string) => void, now: () => number, hold: () => void}} Actions now: the server's time; hold: stays at the place that is read
 */

/** @param {import("./items.js").Item} item @param {Actions} actions */
export function createItem({ kind, source }, actions) {
  if (kind === "skip") return skipItem(actions);
  if (kind === "ending") return endingItem(actions);
  if (kind === "working")
    return {
      element: h("li.working", {}, h("span.working-dots", { "aria-hidden": "true" }), "Working"),
      update() {},
    };
  if (kind === "pending" || source.role === "user") return promptItem(actions);
  return source.role === "notice" ? noticeItem() : answerItem(actions);
}

/** When a prompt that waits was written, by the server's clock. @param {{createdAt: number}} entry @param {number} now */
function writtenAt({ createdAt }, now) {
  return new Date(createdAt + now - Date.now()).toISOString();
}

/** @param {HTMLElement} time @param {string|null} ts @param {number} now the server's time */
function setTime(time, ts, now) {
  setText(time, timeText(ts, now));
  time.setAttribute("datetime", ts ?? "");
  time.title = momentText(ts);
}

/** A long prompt shows its beginning: it was written to be answered, not to be scrolled past. */
function unfolder(text, actions) {
  const button = h("button.link", { type: "button", "aria-expanded": "false" });
  const set = (isOpen) => {
    text.classList.toggle("folded", !isOpen && !button.hidden);
    button.setAttribute("aria-expanded", String(isOpen));
    setText(button, isOpen ? "Show less" : "Show all");
  };
  button.addEventListener("click", () => {
    const isOpen = button.getAttribute("aria-expanded") !== "true";
    if (isOpen) actions.hold(); // a prompt that is opened is read from its top
    set(isOpen);
    if (!isOpen) text.scrollIntoView({ block: "nearest" });
  });
  return {
    button,
    fit: (isFoldable) => {
      button.hidden = !isFoldable;
      set(button.getAttribute("aria-expanded") === "true");
    },
  };
}

/** A prompt, from the outbox to its answer: the same element all the way. */
function promptItem(actions) {
  const text = h("div.prompt-text", { tabindex: "-1" });
  const written = new GrowingText(text);
  const unfold = unfolder(text, actions);
  const knots = h("span.knots", { "aria-hidden": "true" }, h("i"), h("i"), h("i"), h("i"));
  const label = h("span.delivery-label");
  const time = h("time");
  const why = h("span.delivery-why");
  const usage = h("span.delivery-usage");
  const retry = h("button.link", { type: "button", text: "Send again" });
  const edit = h("button.link", { type: "button", text: "Edit" });
  const discard = h("button.link", { type: "button", text: "Discard" });
  const delivery = h("div.delivery", {}, time, knots, label, usage, why, retry, edit, discard);
  const element = h(
    "li.item.prompt",
    {},
    h("span.sr-only", { text: "You: " }),
    text,
    unfold.button,
    delivery,
  );
  /** @type {any} */
  let now = null;
  retry.addEventListener("click", () => actions.retry(now.clientMsgId));
  edit.addEventListener("click", () => {
    actions.again(now.text);
    actions.discard(now.clientMsgId);
  });
  // The second press of a double click would hit the prompt that has taken the place.
  discard.addEventListener("click", ({ detail }) => detail < 2 && actions.discard(now.clientMsgId));
  return {
    element,
    update({ kind, source }) {
      now = source;
      written.set(source.text);
      unfold.fit(isLong(source.text));
      const waiting = kind === "pending";
      const way = deliveryOf(
        waiting ? source.state : source.promptState,
        source.stopReason,
        source.attempted,
      );
      knots.dataset.step = String(way.step);
      delivery.dataset.kind = way.kind;
      element.dataset.state = waiting ? source.state : source.promptState;
      setText(label, way.label);
      setTime(time, waiting ? writtenAt(source, actions.now()) : source.ts, actions.now());
      setText(usage, waiting ? "" : usageText(source.usage));
      setText(why, waiting ? outboxText(source) : "");
      const isUnsent = waiting && (source.state === "failed" || source.state === "evicted");
      const isStuck =
        waiting && source.tried && (source.state === "queued" || source.state === "sending");
      retry.hidden = edit.hidden = !isUnsent;
      discard.hidden = !isUnsent && !isStuck;
      discard.setAttribute("aria-disabled", String(source.state === "sending")); // under way: it cannot be taken back now
    },
  };
}

function answerItem(actions) {
  /** @type {any} */
  let now = null;
  const time = h("time");
  const foot = h(
    "div.answer-foot",
    { hidden: true },
    copyButton("this answer", () => answerText(now)),
    time,
  );
  const element = h("li.item.answer", {}, h("span.sr-only", { text: "Agent: " }), foot);
  /** @type {Map<string, import("./blocks.js").BlockView & {source: any, live: string}>} */
  const blocks = new Map();
  return {
    element,
    update({ source, live }) {
      now = source;
      for (const block of source.blocks) {
        let view = blocks.get(block.blockId);
        if (!view) {
          view = { ...createBlock(block), source: null, live: "" };
          blocks.set(block.blockId, view);
          foot.before(view.element);
        }
        if (view.element.parentNode !== element) foot.before(view.element); // an extension took it away
        if (view.source === block && view.live === live) continue;
        view.update(block, live);
        view.source = block;
        view.live = live;
      }
      const plans = source.blocks.filter((block) => block.blockType === "plan");
      plans.forEach((plan, i) =>
        blocks.get(plan.blockId)?.element.classList.toggle("superseded", i < plans.length - 1),
      );
      foot.hidden = Boolean(live) || !answerText(source);
      setTime(time, source.ts, actions.now());
    },
  };
}

function noticeItem() {
  const text = h("span");
  const element = h("li.item.notice", {}, h("strong", { text: "Notice " }), text);
  return { element, update: ({ source }) => setText(text, source.text || source.code) };
}

function endingItem(actions) {
  const text = h("span");
  const detail = h("span.ending-detail");
  const again = h("button.link", { type: "button", text: "Edit and send again" });
  const element = h("li.item.ending", {}, text, detail, " ", again);
  /** @type {any} */
  let prompt = null;
  again.addEventListener("click", () => actions.again(prompt.text));
  return {
    element,
    update({ source }) {
      prompt = source;
      setText(text, endingOf(source.stopReason) ?? "");
      setText(detail, source.error ?? "");
      element.dataset.kind = isAccident(source.stopReason) ? "failed" : "plain";
      again.hidden = !isAccident(source.stopReason);
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
          open: "Load the skipped events",
          failed: "Loading failed. Try again",
          loading: `Loading ${source.loaded} of ${total}`,
          loaded: "",
        }[source.state],
      );
    },
  };
}
