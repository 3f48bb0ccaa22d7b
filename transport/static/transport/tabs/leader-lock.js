/** The lock of the tab that leads: the browser gives it to the next tab when that one is gone. */

export class LeaderLock {
  #options;
  /** @type {AbortController|null} */
  #request = null;
  /** @type {((value: any) => void)|null} ends the hold of the lock */
  #release = null;

  /**
   * @param {{locks: Pick<LockManager, "request">, name: string, onHeld: () => void, onStolen: () => void}} options
   *   onStolen: another tab has taken this one for frozen
   */
  constructor(options) {
    this.#options = options;
  }

  /** Waits for the lock, or takes it from a tab that does not move. */
  queue({ steal = false } = {}) {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    const { locks, name } = this.#options;
    // A request that steals takes no signal.
    const options = steal ? { steal: true } : { signal: request.signal };
    locks
      .request(name, options, () => this.#hold(request))
      .catch(() => {
        if (this.#request === request && !request.signal.aborted) this.#stolen();
      });
  }

  /** Gives the lock back, or leaves the queue for it. */
  leave() {
    this.#request?.abort();
    this.#release?.(undefined);
    this.#release = null;
  }

  /** @param {AbortController} request */
  #hold(request) {
    return new Promise((release) => {
      if (request.signal.aborted) {
        release(undefined);
        return;
      }
      this.#release = release;
      this.#options.onHeld();
    });
  }

  #stolen() {
    this.#release = null;
    this.#options.onStolen();
  }
}
