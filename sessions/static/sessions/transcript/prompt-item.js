/** A prompt of the transcript, from the outbox to its answer. */

import { isPending } from "../../transport/prompts.js";
import { copyButton } from "../elements/copy.js";
import { h, setText } from "../elements/dom.js";
import { GrowingText } from "../log/growing-text.js";
import { actionButton, linkButton } from "./item-actions.js";
import { setTime } from "./item-time.js";
import { promptFiles } from "./prompt-files.js";
import { deliveryOf, isLong, isUnsent, outboxText } from "../words/text.js";
import { WholeText } from "../answers/whole-text.js";

/** When a prompt that waits was written, by the server's clock. @param {{createdAt: number}} entry @param {number} now */
function writtenAt({ createdAt }, now) {
  return new Date(createdAt + now - Date.now()).toISOString();
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
export function createPrompt(actions) {
  const text = h("div.prompt-text", { tabindex: "-1" });
  const written = new GrowingText(text);
  const unfold = unfolder(text, actions);
  const whole = new WholeText(
    "text",
    (part, start) => actions.loadPart(now.messageId, part, start),
    () => written.set(whole.text ?? now.text),
  );
  const files = promptFiles();
  const knots = h("span.knots", { "aria-hidden": "true" }, h("i"), h("i"), h("i"), h("i"));
  const label = h("span.delivery-label");
  const time = h("time");
  const why = h("span.delivery-why");
  /** @type {any} */
  let now = null;
  const meta = h("span.delivery-meta", {}, time, knots, label);
  const copy = copyButton("this prompt", () => now.text);
  const link = linkButton("this prompt", () => now.seq);
  const edit = actionButton("Edit", "edit", () => {
    actions.edit(now.text);
    if (isUnsent(now)) actions.discard(now.clientMsgId);
  });
  const again = actionButton("Send again", "again", () =>
    isUnsent(now) ? actions.retry(now.clientMsgId) : actions.send(now.text),
  );
  const discard = actionButton("Discard", "discard", () => actions.discard(now.clientMsgId));
  const back = actionButton("Go back", "back", () => actions.goBack(now));
  const buttons = h("span.item-actions", {}, copy, link, edit, again, back, discard);
  const delivery = h("div.delivery", {}, buttons, meta, why);
  const element = h(
    "li.item.prompt",
    {},
    h("span.sr-only", { text: "You: " }),
    files.element,
    text,
    unfold.button,
    whole.element,
    delivery,
  );
  return {
    element,
    update({ kind, source, place }) {
      now = source;
      files.update(source.attachments);
      whole.update(source.cut);
      written.set(whole.text ?? source.text);
      unfold.fit(isLong(source.text));
      const waiting = kind === "pending";
      const state = waiting ? source.state : source.promptState;
      const way = deliveryOf(state, source.stopReason, source.attempted, place);
      knots.dataset.step = String(way.step);
      delivery.dataset.kind = way.kind;
      element.dataset.state = state;
      // The time of an import is not the time at which it was said.
      time.hidden = knots.hidden = Boolean(source.imported);
      setText(label, source.imported ? "Imported" : way.label);
      label.hidden = !label.textContent;
      setTime(time, waiting ? writtenAt(source, actions.now()) : source.ts, actions.now());
      setText(why, waiting ? outboxText(source) : "");
      const isStuck = waiting && source.tried && isPending(source);
      // Each says what a person can do now; the others are there for a pointer or the focus.
      buttons.classList.toggle("is-needed", isUnsent(source) || isStuck);
      edit.hidden = again.hidden = waiting && !isUnsent(source);
      link.hidden = waiting;
      back.hidden = waiting || !source.turnId || source.stopReason === null;
      discard.hidden = source.unwanted || (!isUnsent(source) && !isStuck);
    },
  };
}
