/** A closed tab sends nothing more until the browser has its next tab: the browser asks before that. */

export class UnloadGuard {
  #isAtRisk;
  #isOn = false;
  #isOver = false;

  /** @param {() => boolean} isAtRisk whether something would be lost with the tab */
  constructor(isAtRisk) {
    this.#isAtRisk = isAtRisk;
  }

  /** Listens while something is at risk alone: a listener may keep a page out of the browser's back cache. */
  look() {
    const isOn = !this.#isOver && this.#isAtRisk();
    if (isOn === this.#isOn) return;
    this.#isOn = isOn;
    if (isOn) addEventListener("beforeunload", ask);
    else removeEventListener("beforeunload", ask);
  }

  /** The page leaves by its own will. */
  end() {
    this.#isOver = true;
    this.look();
  }
}

/** @param {BeforeUnloadEvent} event */
function ask(event) {
  event.preventDefault();
}
