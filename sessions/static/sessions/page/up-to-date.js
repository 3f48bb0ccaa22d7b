/** Whether all of the chat that is shown, up to its newest event, stands on the screen. */

export class UpToDate {
  #options;
  /** @type {{id: string|null, by: string|null}} a session, and the connection that had caught up when it was drawn */
  #drawn = { id: null, by: null };

  /**
   * @param {{shown: () => string|null, store: import("../log/store.js").Store, caughtUpBy: (id: string) => string|null}} options
   *   caughtUpBy: the connection that has caught up with a session, null while that is under way
   */
  constructor(options) {
    this.#options = options;
  }

  /** A chat was drawn. @param {string|null} id */
  drawn(id) {
    this.#drawn = { id, by: id && this.#options.caughtUpBy(id) };
  }

  get isTrue() {
    const id = this.#options.shown();
    if (!id || this.#options.store.get(id)?.rejected) return true;
    const by = this.#options.caughtUpBy(id);
    return by !== null && this.#drawn.id === id && this.#drawn.by === by;
  }
}
