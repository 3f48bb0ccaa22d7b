/** Open questions of the agent: the oldest as a form, between the transcript and the composer. */

import { h, setText } from "./dom.js";
import { formOf } from "./form.js";
import { leftText } from "./durations.js";
import { visible } from "./visible.js";
import { showAll } from "./whole-request.js";

/** @typedef {import("./fold.js").Question} Question */

export class Questions {
  #root;
  #answer;
  #load;
  #left = h("p.muted.permission-left");
  /** @type {string|null} the id of the question that is drawn */
  #shown = null;
  /** @type {string|null} */
  #expiresAt = null;

  /**
   * @param {HTMLElement} root
   * @param {(sessionId: string, question: Question, action: string, values: any) => Promise<string>} answer
   *   resolves to a sentence when the values do not fit, else to ""
   * @param {(id: string, part: string, start: number) => Promise<any>} load a piece of a question's form
   */
  constructor(root, answer, load) {
    this.#root = root;
    this.#load = load;
    this.#answer = answer;
  }

  /** @param {string} sessionId @param {Question[]} questions oldest first @param {number} now the server's time */
  draw(sessionId, questions, now) {
    const [first = null] = questions;
    const id = first && `${sessionId} ${first.questionId}`;
    if (id !== this.#shown) {
      this.#shown = id;
      this.#expiresAt = first?.expiresAt ?? null;
      this.#root.replaceChildren(...(first ? [this.#card(sessionId, first)] : []));
      this.#root.hidden = !first;
    }
    this.tick(now);
  }

  /** @param {number} now the server's time */
  tick(now) {
    const ms = this.#expiresAt ? Date.parse(this.#expiresAt) - now : null;
    setText(this.#left, leftText(ms, "Cancelled"));
  }

  /** @param {string} sessionId @param {Question} question */
  #card(sessionId, question) {
    const { elements, values } = formOf(question.schema);
    const problem = h("p.permission-warning", { role: "alert", hidden: true });
    let isBusy = false;
    const give = async (action) => {
      if (isBusy) return;
      isBusy = true;
      const why = await this.#answer(sessionId, question, action, values());
      isBusy = false;
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
        h("button.quiet", { type: "button", text: "Decline", onclick: () => give("decline") }),
        h("button.quiet", { type: "button", text: "Cancel", onclick: () => give("cancel") }),
      ),
      this.#left,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!question.cut) give("accept");
    });
    return form;
  }

  /** The button that loads a form which was cut. @param {string} sessionId @param {Question} question */
  #rest(sessionId, question) {
    const { questionId } = question;
    const load = (part, start) => this.#load(questionId, part, start);
    return showAll(question, load, (whole) => {
      if (this.#shown === `${sessionId} ${questionId}`)
        this.#root.replaceChildren(this.#card(sessionId, whole));
    });
  }
}

/** The whole address is shown: the agent chose it. @param {string} url */
function pageElement(url) {
  const isPage = /^https?:\/\//.test(url);
  return h(
    "p.question-page",
    { translate: "no" },
    isPage
      ? h("a", { href: url, target: "_blank", rel: "noopener noreferrer", text: visible(url) })
      : visible(url),
  );
}
