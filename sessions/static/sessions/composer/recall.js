/** Walking earlier prompts in the composer: one back, one forward. */

export class Recall {
  #options;
  /** How far back: 1 is the last prompt, 0 none. */
  #back = 0;
  /** @type {string|null} the text that the walk has put into the composer */
  #text = null;

  /**
   * @param {{prompts: () => string[], older: () => Promise<boolean>, begin?: () => Promise<void>}} options prompts:
   *   those that are held, oldest first; older: loads more of them, false when there are none; begin: of a walk
   */
  constructor(options) {
    this.#options = options;
  }

  /** Whether a text is the one that the walk has shown, or empty. @param {string} text */
  canWalk(text) {
    return text === "" || text === this.#text;
  }

  /** The next walk begins at the last prompt. */
  reset() {
    this.#back = 0;
    this.#text = null;
  }

  /** @param {string} text that stands in the composer @returns {Promise<string|null>} null: there is none before */
  async before(text) {
    if (text === "") {
      this.reset();
      await this.#options.begin?.();
    }
    const wanted = this.#back + 1;
    while (this.#options.prompts().length < wanted) if (!(await this.#options.older())) return null;
    return this.#go(wanted);
  }

  /** @returns {string|null} empty behind the last prompt; null: no walk has begun */
  after() {
    return this.#back ? this.#go(this.#back - 1) : null;
  }

  /** @param {number} back */
  #go(back) {
    this.#back = back;
    this.#text = back ? (this.#options.prompts().at(-back) ?? "") : "";
    return this.#text;
  }
}
