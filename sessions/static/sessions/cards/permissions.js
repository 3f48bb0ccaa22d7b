/** Open permission requests: one live card at a time, between the transcript and the composer. */

import { Arming } from "./arming.js";
import { h, isTouch, setText } from "../elements/dom.js";
import { PermissionCard } from "./permission-card.js";
import { placeText } from "../words/request-words.js";

/** @typedef {import("../log/fold.js").Permission} Permission */

export class Permissions {
  #root;
  /** Tells a screen reader when another request has come. */
  #queue = h("p.sr-only", { role: "status" });
  #actions;
  #load;
  #arming;
  /** @type {PermissionCard|null} */
  #card = null;
  /** How many requests are open; the card is the first of them. */
  #count = 0;

  /**
   * @param {HTMLElement} root
   * @param {Pick<ReturnType<typeof import("../server/actions.js").createActions>, "answer"|"suggestRule"|"makeRule">} actions
   *   answer: resolves to whether the server took the decision
   * @param {(id: string, part: string, start: number) => Promise<any>} load a piece of a part of a request
   */
  constructor(root, actions, load) {
    this.#root = root;
    this.#load = load;
    root.append(this.#queue);
    this.#actions = actions;
    this.#arming = new Arming(root, (isArmed) => this.#card?.arm(isArmed));
  }

  get open() {
    return this.#card !== null;
  }

  /**
   * @param {string} sessionId @param {Permission[]} requests oldest first
   * @param {number} now the server's time, epoch milliseconds
   */
  draw(sessionId, requests, now) {
    const [first = null] = requests;
    this.#count = requests.length;
    const hadFocus = this.#root.contains(document.activeElement);
    if (this.#card && !this.#card.isOf(first)) this.#drop();
    if (first && !this.#card) this.#show(sessionId, first);
    if (this.#card && this.#card.element.parentNode !== this.#root)
      this.#root.prepend(this.#card.element);
    this.#card?.stand(this.#count);
    const place = placeText(this.#count);
    setText(this.#queue, place && `Request ${place}`);
    this.#root.hidden = !first;
    this.tick(now);
    if (hadFocus && !this.#root.contains(document.activeElement)) this.#focusNext();
  }

  /** The time that is left, once a second. */
  tick(now) {
    this.#card?.tick(now);
  }

  focus() {
    this.#card?.element.focus();
  }

  #focusNext() {
    if (this.#card) this.focus();
    else if (!isTouch()) document.getElementById("prompt")?.focus();
  }

  #show(sessionId, request) {
    const card = new PermissionCard(request, {
      mayDecide: () => this.#arming.takeDecision(),
      decide: (optionId, why) => this.#actions.answer(sessionId, request, optionId, why),
      suggest: () => this.#actions.suggestRule(sessionId, request.permId),
      makeRule: (rule) => this.#actions.makeRule({ ...rule, effect: "allow", sessionId }),
      load: (part, start) => this.#load(request.permId, part, start),
      loaded: (whole) => this.#card === card && this.#showWhole(sessionId, whole),
    });
    this.#card = card;
    card.stand(this.#count);
    this.#root.prepend(card.element);
    this.#arming.guard(card.element);
  }

  /** A card with all of its action is another one: it is read and armed from the beginning. */
  #showWhole(sessionId, whole) {
    this.#drop();
    this.#show(sessionId, whole);
    this.focus();
  }

  #drop() {
    const { element } = /** @type {PermissionCard} */ (this.#card);
    this.#arming.guard(null);
    element.remove();
    this.#card = null;
  }
}
