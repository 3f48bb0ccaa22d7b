/** The card of one permission request: the whole action, and a button for each option. */

import { actionOf, offeredOptions, optionNote } from "./action.js";
import { h, icon, ICONS, setText } from "./dom.js";
import { visible } from "./visible.js";
import { clockText } from "./text.js";

const UNKNOWN = "The agent did not say what it will do.";
const CUT = "The action is too large to be shown whole: this is its beginning.";

export class PermissionCard {
  #request;
  #on;
  #options;
  #buttons;
  #left = h("p.muted.permission-left");
  #isBusy = false;
  #isArmed = false;

  /**
   * @param {import("./fold.js").Permission} request
   * @param {{mayDecide: () => boolean, decide: (optionId: string) => Promise<boolean>}} on
   *   mayDecide: asked once per press; decide resolves to whether the decision was taken
   */
  constructor(request, on) {
    this.#request = request;
    this.#on = on;
    const action = actionOf(request.input);
    this.#options = offeredOptions(request.options, action);
    const isClear = action.isKnown && action.isWhole;
    this.#buttons = this.#options.map((option, i) => this.#button(option, i + 1, isClear));
    this.element = this.#draw(action);
    this.element.addEventListener("keydown", (event) => this.#keydown(event));
    this.#mark();
  }

  /** @param {import("./fold.js").Permission|null} request */
  isOf(request) {
    return request?.permId === this.#request.permId;
  }

  /** @param {boolean} isArmed whether a press would decide */
  arm(isArmed) {
    this.#isArmed = isArmed;
    this.#mark();
  }

  /** @param {number} now the server's time */
  tick(now) {
    const { expiresAt } = this.#request;
    const ms = expiresAt ? Date.parse(expiresAt) - now : null;
    setText(this.#left, ms === null ? "" : ms > 0 ? `Expires in ${clockText(ms)}` : "Time is up");
  }

  #draw(action) {
    const { permId, toolName, title } = this.#request;
    const id = `perm-${permId}`;
    const isTitleNew = Boolean(title) && !action.parts.some(({ text }) => text === title);
    const element = h(
      "section.permission",
      { id, tabindex: "-1", role: "group", "aria-labelledby": `${id}-title`, "data-perm": permId },
      h("h3", { id: `${id}-title` }, icon(ICONS.shield), `Allow ${visible(toolName || "this")}?`),
      isTitleNew &&
        h("p.permission-title", { text: `The agent calls it: ${visible(title)}`, translate: "no" }),
      !action.isKnown && h("p.permission-warning", { text: UNKNOWN }),
      !action.isWhole && h("p.permission-warning", { text: CUT }),
      action.parts.length > 0 && actionElement(action),
      h("div.permission-options", {}, ...this.#buttons),
      this.#left,
    );
    return element;
  }

  /** @param {any} option @param {number} number its key @param {boolean} isClear whether the action is known in full */
  #button(option, number, isClear) {
    const { id, kind, label } = option;
    const note = optionNote(option);
    return h(
      `button.${isClear && kind === "allow_once" ? "primary" : "quiet"}`,
      {
        type: "button",
        "data-option": id,
        "data-kind": kind,
        onclick: (/** @type {MouseEvent} */ event) => event.detail < 2 && this.#choose(id),
      },
      h("kbd", { text: String(number), "aria-hidden": "true" }),
      visible(label || id),
      note && h("span.permission-note", { text: `(${note})` }),
    );
  }

  #keydown(event) {
    const chosen = this.#options[Number(event.key) - 1];
    if (!chosen || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    if (!event.repeat) this.#choose(chosen.id);
  }

  async #choose(optionId) {
    if (!this.#on.mayDecide() || this.#isBusy) return;
    this.#isBusy = true;
    this.#mark();
    this.#isBusy = await this.#on.decide(optionId); // taken: the card waits for the log to close it
    this.#mark();
  }

  /** A disabled button would lose the focus. */
  #mark() {
    this.element.dataset.armed = String(this.#isArmed);
    const isOff = this.#isBusy || !this.#isArmed;
    for (const button of this.#buttons) button.setAttribute("aria-disabled", String(isOff));
  }
}

/** The fields of an action, which scroll; a line says how much is below. */
function actionElement({ parts }) {
  const fields = parts.map(({ label, text }) =>
    h(
      "div.permission-field",
      {},
      label && h("h4", { text: visible(label), translate: "no" }),
      h("pre", { text: visible(text), translate: "no" }),
    ),
  );
  const box = h(
    "div.permission-action",
    { tabindex: "0", role: "region", "aria-label": "The action" },
    ...fields,
  );
  const more = h("p.permission-more", { hidden: true });
  const measure = () => {
    const below = box.scrollHeight - box.scrollTop - box.clientHeight;
    const lines = Math.round(below / (parseFloat(getComputedStyle(box).lineHeight) || 20));
    more.hidden = below < 4;
    setText(
      more,
      lines > 1
        ? `${lines} more lines below: scroll to read them`
        : "More below: scroll to read it",
    );
  };
  box.addEventListener("scroll", measure, { passive: true });
  new ResizeObserver(measure).observe(box);
  return h("div.permission-body", {}, box, more);
}
