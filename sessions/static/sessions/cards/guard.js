/**
 * When a decision may be taken: not before a person can have read the request.
 *
 * A key that is held, a double click, or a click that was meant for something that has just gone must not
 * decide. So a card is armed only some time after it is wholly visible, and after the last input there.
 */

export const ARM_MS = 700;

export class Guard {
  #now;
  /** @type {number|null} since when the card is wholly visible */
  #visibleSince = null;
  #touchedAt = -Infinity;

  /** @param {() => number} now milliseconds, never set back */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** @param {boolean} isVisible whether the whole card is on the screen */
  see(isVisible) {
    this.#visibleSince = isVisible ? (this.#visibleSince ?? this.#now()) : null;
  }

  /** A key or a pointer was pressed there. */
  touch() {
    this.#touchedAt = this.#now();
  }

  /** @returns {number|null} milliseconds until it is armed, null while the card is not wholly visible */
  get armsInMs() {
    if (this.#visibleSince === null) return null;
    return Math.max(0, Math.max(this.#visibleSince, this.#touchedAt) + ARM_MS - this.#now());
  }

  get isArmed() {
    return this.armsInMs === 0;
  }
}
