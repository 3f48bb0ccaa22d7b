/** Open permission requests: one live card at a time, between the transcript and the composer. */

import { h, isTouch, setText } from "./dom.js";
import { Guard } from "./guard.js";
import { PermissionCard } from "./permission-card.js";
import { placeText } from "./request-words.js";

/** @typedef {import("./fold.js").Permission} Permission */

export class Permissions {
  #root;
  /** Tells a screen reader when another request has come. */
  #queue = h("p.sr-only", { role: "status" });
  #actions;
  #load;
  #guard = new Guard();
  /** @type {PermissionCard|null} */
  #card = null;
  /** How many requests are open; the card is the first of them. */
  #count = 0;
  /** @type {boolean|null} whether the press that is under way began when the card was armed */
  #mayDecide = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #armTimer;
  #onScreen = new IntersectionObserver((entries) => this.#seen(entries), {
    threshold: [0, 0.5, 0.98, 1],
  });

  /**
   * @param {HTMLElement} root
   * @param {Pick<ReturnType<typeof import("./actions.js").createActions>, "answer"|"suggestRule"|"makeRule">} actions
   *   answer: resolves to whether the server took the decision
   * @param {(id: string, part: string, start: number) => Promise<any>} load a piece of a part of a request
   */
  constructor(root, actions, load) {
    this.#root = root;
    this.#load = load;
    root.append(this.#queue);
    this.#actions = actions;
    root.addEventListener("keydown", (event) => this.#pressed(event), { capture: true });
    document.addEventListener("pointerdown", (event) => this.#pressed(event), { capture: true });
    document.addEventListener("visibilitychange", () => this.#lookAgain());
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
      mayDecide: () => this.#takeDecision(),
      decide: (optionId, why) => this.#actions.answer(sessionId, request, optionId, why),
      suggest: () => this.#actions.suggestRule(sessionId, request.permId),
      makeRule: (rule) => this.#actions.makeRule({ ...rule, effect: "allow", sessionId }),
      load: (part, start) => this.#load(request.permId, part, start),
      loaded: (whole) => this.#card === card && this.#showWhole(sessionId, whole),
    });
    this.#card = card;
    card.stand(this.#count);
    this.#guard = new Guard();
    this.#mayDecide = null;
    this.#root.prepend(card.element);
    this.#onScreen.observe(card.element);
    this.#arm();
  }

  /** A card with all of its action is another one: it is read and armed from the beginning. */
  #showWhole(sessionId, whole) {
    this.#drop();
    this.#show(sessionId, whole);
    this.focus();
  }

  #drop() {
    const { element } = /** @type {PermissionCard} */ (this.#card);
    this.#onScreen.unobserve(element);
    element.remove();
    this.#card = null;
    clearTimeout(this.#armTimer);
  }

  // -- the guard --------------------------------------------------------------------------------

  /** Notes whether a press began in time, and puts the next one off. @param {KeyboardEvent|PointerEvent} event */
  #pressed(event) {
    const isThere = event.target instanceof Node && this.#root.contains(event.target);
    if (event instanceof KeyboardEvent && isStep(event)) return;
    if (isThere)
      this.#mayDecide = this.#guard.isArmed && !(event instanceof KeyboardEvent && event.repeat);
    this.#guard.touch();
    this.#arm();
  }

  /** One press decides once. @returns {boolean} */
  #takeDecision() {
    const may = this.#mayDecide ?? this.#guard.isArmed;
    this.#mayDecide = null;
    return may;
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #seen(entries) {
    const last = entries.findLast(({ target }) => target === this.#card?.element);
    if (!last) return;
    this.#guard.see(last.intersectionRatio >= 0.98);
    this.#arm();
  }

  /** A page in the background shows nothing. */
  #lookAgain() {
    if (!this.#card) return;
    this.#guard.see(false);
    this.#onScreen.unobserve(this.#card.element);
    if (document.visibilityState === "visible") this.#onScreen.observe(this.#card.element);
    this.#arm();
  }

  #arm() {
    clearTimeout(this.#armTimer);
    const { armsInMs, isArmed } = this.#guard;
    this.#card?.arm(isArmed);
    if (armsInMs) this.#armTimer = setTimeout(() => this.#arm(), armsInMs);
  }
}

/** A key that moves the focus or changes another key can decide nothing. @param {KeyboardEvent} event */
function isStep({ key }) {
  return key === "Tab" || key === "Shift" || key === "Control" || key === "Alt" || key === "Meta";
}
