/** Loading older messages and the events of a skip into the store. */

const EVENTS_PAGE = 200;

export class History {
  #options;
  /** @type {Set<string>} sessions whose older messages could not be loaded */
  #failed = new Set();

  /**
   * @param {{store: import("./store.js").Store, api: any, page: number, changed: () => void}} options
   *   page: messages of one answer
   */
  constructor(options) {
    this.#options = options;
  }

  /** Whether the last try for older messages failed. @param {string|null} sessionId */
  hasFailed(sessionId) {
    return sessionId !== null && this.#failed.has(sessionId);
  }

  /** Older messages may be tried again. */
  forgetFailures() {
    this.#failed.clear();
  }

  /**
   * Loads the page before the oldest message that is held.
   * @param {string|null} sessionId @returns {Promise<boolean>} whether older messages have come
   */
  async loadOlder(sessionId) {
    const { store, api, page: limit, changed } = this.#options;
    const view = sessionId ? store.get(sessionId) : null;
    if (!sessionId || !view || !hasOlder(view)) return false;
    this.#failed.delete(sessionId);
    store.update(sessionId, { loadingOlder: true });
    try {
      const page = await api.messages(sessionId, { before: view.snapshot.oldestSeq, limit });
      store.prepend(sessionId, page);
    } catch {
      store.update(sessionId, { loadingOlder: false });
      this.#failed.add(sessionId);
    }
    changed();
    return !this.#failed.has(sessionId);
  }

  /** Reads the skipped events, page by page, into the transcript. @param {string|null} sessionId @param {string} skipId */
  async loadSkip(sessionId, skipId) {
    const { store, changed } = this.#options;
    const skip = sessionId && skipOf(store.get(sessionId), skipId);
    if (!sessionId || !skip || skip.state === "loading" || skip.state === "loaded") return;
    store.updateSkip(sessionId, skipId, { state: "loading" });
    changed();
    try {
      // The messages come first: a skip is loaded with its last event, and each answer of it then
      // stands behind its prompt.
      await this.#learnMessages(sessionId, skip);
      await this.#fill(sessionId, skip);
    } catch {
      store.updateSkip(sessionId, skipId, { state: "failed" });
    }
    changed();
  }

  async #fill(sessionId, { id, from, to, loaded }) {
    const { store, api, changed } = this.#options;
    let after = from - 1 + loaded;
    for (let more = true; more;) {
      const { events } = await api.events(sessionId, { after, upto: to, limit: EVENTS_PAGE });
      const now = skipOf(store.fill(sessionId, id, events), id);
      after = events.at(-1)?.seq ?? to;
      more = now?.state === "loading" && events.length > 0;
      changed();
    }
  }

  /** The end of a prompt in the skip may lie behind it, or in another skip. */
  async #learnMessages(sessionId, { from, to }) {
    const { store, api, page: limit } = this.#options;
    for (let before = to + 1; before > from;) {
      const page = await api.messages(sessionId, { before, limit });
      store.learn(
        sessionId,
        page.messages.filter(({ seq }) => seq >= from),
      );
      before = page.hasMore ? page.messages[0].seq : 0;
    }
  }
}

/** @param {import("./store.js").View} view */
function hasOlder({ ready, loadingOlder, snapshot }) {
  return ready && !loadingOlder && Boolean(snapshot.hasMore) && snapshot.oldestSeq !== null;
}

/** @param {import("./store.js").View|null} view @param {string} id */
function skipOf(view, id) {
  return view?.skips.find((skip) => skip.id === id) ?? null;
}
