/** The server's time: this device's clock may be wrong. */

/** The travel time of a frame moves no time that is shown. */
const NOTABLE_MS = 10_000;

export class ServerClock {
  #offsetMs = 0;

  /**
   * Learns from a frame that tells the server's time.
   * @param {{serverTime?: string}} frame @returns {boolean} whether times that are shown may be wrong
   */
  learn({ serverTime }) {
    const at = serverTime ? Date.parse(serverTime) : NaN;
    if (!Number.isFinite(at)) return false;
    const before = this.#offsetMs;
    this.#offsetMs = at - Date.now();
    return Math.abs(this.#offsetMs - before) > NOTABLE_MS;
  }

  /** @returns {number} epoch milliseconds */
  now = () => Date.now() + this.#offsetMs;
}
