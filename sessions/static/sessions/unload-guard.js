/** A closed tab sends nothing more until the browser has its next tab: the browser asks before that. */

export class UnloadGuard {
  #isOn = false;

  /** @param {boolean} isAtRisk listens only then: a listener may keep a page out of the browser's back cache */
  set(isAtRisk) {
    if (isAtRisk === this.#isOn) return;
    this.#isOn = isAtRisk;
    if (isAtRisk) addEventListener("beforeunload", ask);
    else removeEventListener("beforeunload", ask);
  }
}

/** @param {BeforeUnloadEvent} event */
function ask(event) {
  event.preventDefault();
}
