/** Open questions of the agent: the oldest as a form, between the transcript and the composer. */

import { addressLink } from "../elements/address-link.js";
import { Arming } from "./arming.js";
import { h, setText } from "../elements/dom.js";
import { formOf } from "./form.js";
import { leftText } from "../words/durations.js";
import { visible } from "../words/visible.js";
import { showAll } from "../answers/whole-request.js";

/** @typedef {import("../log/fold.js").Question} Question */

export class Questions {
  #root;
  #answer;
  #load;
  #arming;
  #left = h("p.muted.permission-left");
  /** @type {string|null} names the question that is drawn */
  #shown = null;
  /** @type {string|null} */
  #expiresAt = null;

  /**
   * @param {HTMLElement} root
   * @param {(sessionId: string, question: Question, action: string, values: any) => Promise<Record<string, string>>} answer
   *   resolves to the reasons against the values by their fields, none when they fit
   * @param {(id: string, part: string, start: number) => Promise<any>} load a piece of a question's form
   */
  constructor(root, answer, load) {
    this.#root = root;
    this.#load = load;
    this.#answer = answer;
    this.#arming = new Arming(root, (isArmed) => mark(root, isArmed));
  }

  /** @param {string} sessionId @param {Question[]} questions oldest first @param {number} now the server's time */
  draw(sessionId, questions, now) {
    const [first = null] = questions;
    const name = first && nameOf(sessionId, first);
    if (name !== this.#shown) {
      this.#shown = name;
      this.#expiresAt = first?.expiresAt ?? null;
      this.#show(first && this.#card(sessionId, first));
    }
    this.tick(now);
  }

  /** @param {HTMLElement|null} card */
  #show(card) {
    this.#root.replaceChildren(...(card ? [card] : []));
    this.#root.hidden = !card;
    this.#arming.guard(card);
  }

  /** @param {number} now the server's time */
  tick(now) {
    const ms = this.#expiresAt ? Date.parse(this.#expiresAt) - now : null;
    setText(this.#left, leftText(ms, "Cancelled"));
  }

  /** @param {string} sessionId @param {Question} question */
  #card(sessionId, question) {
    const { elements, values, refuse } = formOf(question.schema);
    const problem = h("p.permission-warning", { role: "alert", hidden: true });
    let isBusy = false;
    const give = async (action) => {
      if (!this.#arming.takeDecision() || isBusy) return;
      isBusy = true;
      const reasons = await this.#answer(sessionId, question, action, values());
      isBusy = false;
      const why = refuse(reasons).join(" ");
      problem.hidden = !why;
      setText(problem, why);
    };
    const form = h(
      "form.permission.question",
      { "aria-label": "A question of the agent" },
      h("h3", { text: "The agent asks" }),
      h("p.question-title", { text: visible(question.title) }),
      question.url && pageElement(question.url),
      ...elements,
      question.cut && this.#rest(sessionId, question),
      problem,
      h(
        "div.permission-options",
        {},
        !question.cut &&
          h("button.primary", { type: "submit", text: question.url ? "I have done it" : "Answer" }),
        button("Decline", () => give("decline")),
        button("Cancel", () => give("cancel")),
      ),
      this.#left,
    );
    form.addEventListener("click", dropSecond, { capture: true });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!question.cut) give("accept");
    });
    return form;
  }

  /** The button that loads a form which was cut. @param {string} sessionId @param {Question} question */
  #rest(sessionId, question) {
    const load = (part, start) => this.#load(question.questionId, part, start);
    return showAll(question, load, (whole) => {
      if (this.#shown === nameOf(sessionId, question)) this.#show(this.#card(sessionId, whole));
    });
  }
}

/** @param {string} sessionId @param {Question} question */
function nameOf(sessionId, { questionId, digest }) {
  return `${sessionId} ${questionId} ${digest}`;
}

/** A disabled button would lose the focus. @param {HTMLElement} root @param {boolean} isArmed */
function mark(root, isArmed) {
  for (const card of root.children) {
    /** @type {HTMLElement} */ (card).dataset.armed = String(isArmed);
    for (const one of card.querySelectorAll(".permission-options button"))
      one.setAttribute("aria-disabled", String(!isArmed));
  }
}

/** @param {string} text @param {() => void} press */
function button(text, press) {
  return h("button.quiet", { type: "button", text, onclick: press });
}

/** The second press of a double click on a button decides nothing. @param {MouseEvent} event */
function dropSecond(event) {
  const { detail, target } = event;
  if (detail < 2 || !(target instanceof Element) || !target.closest(".permission-options")) return;
  event.preventDefault();
  event.stopPropagation();
}

/** The whole address is shown: the agent chose it. @param {string} url */
function pageElement(url) {
  const isPage = /^https?:\/\//.test(url);
  return h("p.question-page", { translate: "no" }, isPage ? addressLink(url) : visible(url));
}
