/**
 * The two ways of a prompt while the agent works, as buttons: *Queue* lets it wait its turn, *Send now* stops the
 * answer and lets it go next. Both keep their places from the begin of a turn to its end, so that no press hits
 * another button than the one that was aimed at.
 */

import { byId, h, setText } from "../elements/dom.js";
import { refocus } from "../elements/refocus.js";

export class Steering {
  #composer;
  #form = byId("composer");
  #hint = byId("composer-hint");
  #hintOfSend = this.#hint.textContent;
  #now;

  /** @param {import("../composer/composer.js").Composer} composer */
  constructor(composer) {
    this.#composer = composer;
    this.#now = h("button.send-now", {
      type: "button",
      text: "Send now",
      title: "Stop the answer that runs and continue with this prompt",
      hidden: true,
      onclick: (/** @type {MouseEvent} */ { detail }) => detail < 2 && composer.submit(true),
    });
    const send = byId("send");
    send.append(h("span.queue-label", { text: "Queue" }));
    send.before(this.#now);
  }

  /** @param {boolean} isWorking whether an answer runs, or is about to */
  draw(isWorking) {
    if (this.#now.hidden !== isWorking) return;
    const hadFocus = document.activeElement === this.#now;
    this.#now.hidden = !isWorking;
    this.#form.classList.toggle("is-steering", isWorking);
    setText(this.#hint, isWorking ? hintOfBoth() : (this.#hintOfSend ?? ""));
    if (hadFocus) refocus(this.#composer);
  }
}

function hintOfBoth() {
  const command = navigator.platform.startsWith("Mac") ? "⌘" : "Ctrl";
  return `Enter queues, ${command} + Enter sends now`;
}
