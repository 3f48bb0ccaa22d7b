/**
 * The copy of a page's prompts in the browser's storage: when the page is gone, the next one takes them over.
 *
 * A page that lives holds the Web Lock of its copy, and has neither while nothing waits: a lock may keep a page out
 * of the browser's back cache. Without Web Locks (plain http) there is no copy: no tab could tell that another is gone.
 */

import { randomId } from "../browser/ids.js";
import { keep, kept } from "../browser/storage.js";

/** @typedef {Storage & {names: () => string[]}} Names */

export class LeftCopy {
  id = randomId();
  isHeld = false;
  #options;
  /** @type {Promise<boolean>|null} whether the lock is held; null while nothing waits */
  #held = null;
  #release = () => {};

  /** @param {{storage: Names, locks: Pick<LockManager, "request">, name: string}} options name: one per person */
  constructor(options) {
    this.#options = options;
  }

  /** The copies of other pages, which may live. @returns {string[]} the name of each, and of its lock */
  get others() {
    const own = this.#key(this.id);
    const isOther = (name) => name.startsWith(this.#key("")) && name !== own;
    return this.#options.storage.names().filter(isOther);
  }

  /** @param {string} page */
  has(page) {
    return kept(this.#options.storage, this.#key(page)) !== null;
  }

  /** @param {string} page */
  remove(page) {
    keep(this.#options.storage, this.#key(page), null);
  }

  /** Takes the lock of this page. @returns {Promise<boolean>} whether it is held */
  hold() {
    this.#held ??= new Promise((settled) => {
      const { id } = this;
      const end = new Promise((release) => {
        this.#release = () => release(undefined);
      });
      const told = (isHeld) => {
        if (id === this.id) this.isHeld = isHeld;
        settled(isHeld && id === this.id);
        return end;
      };
      const { locks } = this.#options;
      locks.request(this.#key(id), () => told(true)).catch(() => told(false));
    });
    return this.#held;
  }

  /**
   * Writes the copy of a page that holds its lock.
   * @param {string|null} text null: nothing waits @returns {boolean} whether the storage has it
   */
  write(text) {
    if (text && this.isHeld) return keep(this.#options.storage, this.#key(this.id), text);
    if (!text && this.#held) this.#end();
    return false;
  }

  #end() {
    this.remove(this.id);
    this.id = randomId(); // the next lock is another one: this one may not be free yet
    this.#held = null;
    this.isHeld = false;
    this.#release();
  }

  /** @param {string} page */
  #key(page) {
    return `${this.#options.name}.${page}`;
  }
}
