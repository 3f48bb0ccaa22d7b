/** Which chats this tab follows: the one that is shown, and those at work. */

import { stoppable } from "../log/store.js";

export class Watching {
  #options;

  /**
   * @param {{stream: import("../../transport/tabs/shared-stream.js").SharedStream, store: import("../log/store.js").Store,
   *   shown: () => string|null}} options
   */
  constructor(options) {
    this.#options = options;
  }

  /** @param {string} sessionId followed from where the store is */
  follow(sessionId) {
    const { stream, store } = this.#options;
    if (!stream.watches(sessionId)) stream.watch(sessionId, store.cursor(sessionId));
  }

  /** The chat that is shown is followed again, when other tabs had needed its place. */
  followShown() {
    const shown = this.#options.shown();
    if (shown) this.follow(shown);
  }

  /** How much a chat matters when the server's limit does not allow all of them. @param {string} sessionId */
  importance(sessionId) {
    if (sessionId === this.#options.shown()) return 3;
    const view = this.#options.store.get(sessionId);
    if (view?.snapshot.runState === "requires_action") return 2;
    return isAtWork(view) ? 1 : 0;
  }

  /** Stops following a chat that is neither shown nor at work; the store keeps what it holds. */
  leaveIdle(sessionId, view = this.#options.store.get(sessionId)) {
    const { stream, shown } = this.#options;
    if (sessionId !== shown() && !isAtWork(view)) stream.unwatch(sessionId);
  }
}

/**
 * A turn runs or will run: a prompt waits for it, or nothing is known yet.
 * @param {import("../log/store.js").View|null} view
 */
function isAtWork(view) {
  if (!view?.ready) return !view?.rejected;
  return view.snapshot.runState !== "idle" || stoppable(view.snapshot) !== null;
}
