/** The card of one permission request: the whole action, and a button for each option. */

import { actionOf, BEGINNING, CUT, effectOf, UNKNOWN } from "../words/action.js";
import { cardForms } from "./card-forms.js";
import { areDrawn, diffElements } from "../diff/diff-view.js";
import { h, icon, setText } from "../elements/dom.js";
import { CHAT_ICONS } from "../elements/chat-icons.js";
import { actionElement, isLong } from "./permission-action.js";
import { hasMarks, MARKED, placeText, questionOf } from "../words/request-words.js";
import { visible } from "../words/visible.js";
import { leftText } from "../words/durations.js";
import { showAll } from "../answers/whole-request.js";

const TOO_SOON = "Look at the rule, then press again.";

export class PermissionCard {
  #request;
  #on;
  #buttons;
  #left = h("p.muted.permission-left");
  #place = h("span.permission-place");
  #isBusy = false;
  #isArmed = false;
  /** Whether all of the action has been on the screen; before, nothing of it can be allowed. */
  #isRead = false;
  /** Whether the server has left out a part of a change, so that nothing of it can be loaded. */
  #isPart;

  /**
   * @param {import("../log/fold.js").Permission} request
   * @param {{mayDecide: () => boolean, decide: (optionId: string, sentence?: string) => Promise<boolean>,
   *   suggest: () => Promise<import("./card-forms.js").Suggestion>,
   *   makeRule: (rule: object) => Promise<import("./card-forms.js").Problem>,
   *   load: import("../answers/whole-text.js").Load, loaded: (whole: import("../log/fold.js").Permission) => void}} on
   *   mayDecide: asked once per press; decide resolves to whether the decision was taken; load: a piece of a part that
   *   was cut; loaded: takes the request with all its parts
   */
  constructor(request, on) {
    this.#request = request;
    this.#on = on;
    this.#isPart = (request.diffs ?? []).some((diff) => diff.cut);
    const isCut = Boolean(request.cut) || this.#isPart;
    const action = { ...actionOf(request.input), ...(isCut && { isWhole: false }) };
    const isClear = action.isKnown && action.isWhole;
    this.#buttons = request.options.map((option, i) => this.#button(option, i + 1, isClear));
    this.element = this.#draw(action);
    this.element.addEventListener("keydown", (event) => this.#keydown(event));
    this.#mark();
  }

  /** @param {import("../log/fold.js").Permission|null} request */
  isOf(request) {
    const { permId, digest } = this.#request;
    return request?.permId === permId && request?.digest === digest;
  }

  /** @param {boolean} isArmed whether a press would decide */
  arm(isArmed) {
    this.#isArmed = isArmed;
    this.#mark();
  }

  /** @param {number} count of the requests that are open; this one is the first of them */
  stand(count) {
    setText(this.#place, placeText(count));
  }

  /** @param {number} now the server's time */
  tick(now) {
    const { expiresAt } = this.#request;
    const ms = expiresAt ? Date.parse(expiresAt) - now : null;
    setText(this.#left, leftText(ms, "Denied"));
  }

  #draw(action) {
    const { permId, title, cut } = this.#request;
    const id = `perm-${permId}`;
    const isTitleNew = Boolean(title) && !action.parts.some(({ text }) => text === title);
    const diffs = diffElements(this.#request.diffs, { isWhole: true });
    const isTwice = areDrawn(this.#request.input?.changes, this.#request.diffs ?? []);
    const parts = action.parts.filter(({ label }) => !isTwice || label !== "changes");
    const plan = this.#request.html;
    return h(
      `section.permission${!diffs.length && !plan && isLong(parts) ? ".is-long" : ""}`,
      { id, tabindex: "-1", role: "group", "aria-labelledby": `${id}-title`, "data-perm": permId },
      headOf(this.#request, action, this.#place),
      isTitleNew &&
        h("p.permission-title", { text: `The agent calls it: ${visible(title)}`, translate: "no" }),
      !action.isKnown && h("p.permission-warning", { text: UNKNOWN }),
      !action.isWhole && h("p.permission-warning", { text: cut ? BEGINNING : CUT }),
      hasMarks(textsOf(this.#request, action)) && h("p.permission-warning", { text: MARKED }),
      cut && showAll(this.#request, this.#on.load, this.#on.loaded),
      this.#action({ parts, plan, isCut: Boolean(cut) }, diffs),
      h("div.permission-options", {}, ...this.#buttons),
      this.#forms(id, action),
      this.#left,
    );
  }

  #action(action, diffs) {
    this.#isRead = !action.parts.length && !diffs.length;
    if (this.#isRead) return null;
    return actionElement(action, diffs, {
      read: () => {
        this.#isRead = true;
        this.#mark();
      },
      open: () => this.element.classList.add("is-open"),
    });
  }

  /** @param {any} option @param {number} number its key @param {boolean} isClear whether the action is known in full */
  #button(option, number, isClear) {
    const { id, kind, label } = option;
    const note = effectOf(option);
    return h(
      `button.${isClear && kind === "allow_once" ? "primary" : "quiet"}`,
      {
        type: "button",
        "data-option": id,
        "data-kind": kind,
        onclick: (/** @type {MouseEvent} */ event) => event.detail < 2 && this.#choose(option),
      },
      h("kbd", { text: String(number), "aria-hidden": "true" }),
      visible(label || id),
      note && h("span.permission-note", { text: `(${note})` }),
    );
  }

  /** A rule can allow an action that is known whole. */
  #forms(id, { isKnown, isWhole }) {
    const once = this.#first("allow_once");
    const no = this.#first("reject_once") ?? this.#first("reject_always");
    return cardForms(
      id,
      { canAllow: Boolean(once) && isKnown && isWhole, canDeny: Boolean(no) },
      {
        suggest: this.#on.suggest,
        always: (rule) => this.#always(rule, once),
        deny: (sentence) => {
          if (this.#on.mayDecide()) this.#decide(no, sentence);
        },
      },
    );
  }

  /** @param {string} kind */
  #first(kind) {
    return this.#request.options.find((option) => option.kind === kind);
  }

  /** Saves a rule and allows this request, by one press. */
  async #always(rule, option) {
    if (this.#isBusy || !this.#on.mayDecide()) return { sentence: TOO_SOON, needsProof: false };
    if (this.#isUnread(option))
      return { sentence: "Read the whole action first.", needsProof: false };
    this.#isBusy = true;
    this.#mark();
    const problem = await this.#on.makeRule(rule);
    this.#isBusy = !problem.sentence && (await this.#on.decide(option.id));
    this.#mark();
    return problem;
  }

  #keydown(event) {
    if (event.target instanceof Element && event.target.closest("form")) return; // it is written
    const chosen = this.#request.options[Number(event.key) - 1];
    if (!chosen || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    if (!event.repeat) this.#choose(chosen);
  }

  #choose(option) {
    if (this.#on.mayDecide() && !this.#isUnread(option)) this.#decide(option);
  }

  /** @param {any} option @param {string} [sentence] */
  async #decide(option, sentence) {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#mark();
    this.#isBusy = await this.#on.decide(option.id, sentence); // taken: the card waits for the log to close it
    this.#mark();
  }

  /** A disabled button would lose the focus. */
  #mark() {
    this.element.dataset.armed = String(this.#isArmed);
    const isOff = this.#isBusy || !this.#isArmed;
    this.#buttons.forEach((button, i) => {
      const isUnread = this.#isUnread(this.#request.options[i]);
      button.setAttribute("aria-disabled", String(isOff || isUnread));
    });
    for (const button of this.element.querySelectorAll(".permission-form form button"))
      button.setAttribute("aria-disabled", String(isOff));
  }

  /** A person may reject an action without a look at it; of a part of one no later action is decided. */
  #isUnread({ kind }) {
    const isUnread = !this.#isRead || Boolean(this.#request.cut);
    const isTooMuch = this.#isPart && kind !== "allow_once";
    return (isUnread || isTooMuch) && !String(kind).startsWith("reject");
  }
}

/** The question in words of ours; the agent's name of its tool stands beside it. */
function headOf(request, action, place) {
  const { permId, toolName } = request;
  return h(
    "div.permission-head",
    {},
    h("h3", { id: `perm-${permId}-title` }, icon(CHAT_ICONS.shield), questionOf(request, action)),
    toolName && h("span.permission-tool", { text: `Tool: ${visible(toolName)}`, translate: "no" }),
    place,
  );
}

/** Every text of the agent in a card. @returns {string[]} */
function textsOf({ toolName, title, options, diffs = [] }, { parts }) {
  return [
    toolName,
    title,
    ...options.map(({ label }) => label),
    ...parts.flatMap(({ label, text }) => [label, text]),
    ...diffs.flatMap(({ path, oldText, newText }) => [path, oldText, newText]),
  ];
}
