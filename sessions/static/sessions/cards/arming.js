/** The presses on cards that decide: a press decides only where its card was armed as it began. */

import { Guard } from "./guard.js";

export class Arming {
  #root;
  #arm;
  #guard = new Guard();
  /** @type {Element|null} */
  #card = null;
  /** @type {boolean|null} whether the press that is under way began when the card was armed */
  #mayDecide = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #onScreen = new IntersectionObserver((entries) => this.#seen(entries), {
    threshold: [0, 0.5, 0.98, 1],
  });

  /**
   * @param {HTMLElement} root the place of the cards
   * @param {(isArmed: boolean) => void} arm called when the guarded card is armed, and when it no longer is
   * @param {AbortSignal} [end] of a place that goes
   */
  constructor(root, arm, end) {
    this.#root = root;
    this.#arm = arm;
    root.addEventListener("keydown", (event) => this.#pressed(event), { capture: true });
    const options = { capture: true, signal: end };
    document.addEventListener("pointerdown", (event) => this.#pressed(event), options);
    document.addEventListener("visibilitychange", () => this.#lookAgain(), { signal: end });
  }

  /** Guards another card, which is armed from the beginning. @param {Element|null} card null for none */
  guard(card) {
    if (this.#card) this.#onScreen.unobserve(this.#card);
    clearTimeout(this.#timer);
    this.#card = card;
    this.#guard = new Guard();
    this.#mayDecide = null;
    if (!card) return;
    this.#onScreen.observe(card);
    this.#look();
  }

  /** One press decides once. @returns {boolean} whether the press that is under way may decide */
  takeDecision() {
    const may = this.#mayDecide ?? this.#guard.isArmed;
    this.#mayDecide = null;
    return may;
  }

  /** Notes whether a press began in time, and puts the next one off. @param {KeyboardEvent|PointerEvent} event */
  #pressed(event) {
    const isThere = event.target instanceof Node && this.#root.contains(event.target);
    if (event instanceof KeyboardEvent && isStep(event)) return;
    if (isThere)
      this.#mayDecide = this.#guard.isArmed && !(event instanceof KeyboardEvent && event.repeat);
    if (isThere && isFillingIn(event)) return;
    this.#guard.touch();
    this.#look();
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #seen(entries) {
    const last = entries.findLast(({ target }) => target === this.#card);
    if (!last) return;
    this.#guard.see(last.intersectionRatio >= 0.98);
    this.#look();
  }

  /** A page in the background shows nothing. */
  #lookAgain() {
    if (!this.#card) return;
    this.#guard.see(false);
    this.#onScreen.unobserve(this.#card);
    if (document.visibilityState === "visible") this.#onScreen.observe(this.#card);
    this.#look();
  }

  #look() {
    clearTimeout(this.#timer);
    if (!this.#card) return;
    const { armsInMs, isArmed } = this.#guard;
    this.#arm(isArmed);
    if (armsInMs) this.#timer = setTimeout(() => this.#look(), armsInMs);
  }
}

/** A key that moves the focus or changes another key can decide nothing. @param {KeyboardEvent} event */
function isStep({ key }) {
  return key === "Tab" || key === "Shift" || key === "Control" || key === "Alt" || key === "Meta";
}

/** A press on a field is meant for the field; Enter there sends the form. @param {KeyboardEvent|PointerEvent} event */
function isFillingIn(event) {
  const isOnField =
    event.target instanceof Element &&
    event.target.closest("label, fieldset, input, select, textarea") !== null;
  return isOnField && !(event instanceof KeyboardEvent && event.key === "Enter");
}
