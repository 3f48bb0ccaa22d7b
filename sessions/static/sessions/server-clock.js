/** The server's time: this device's clock may be wrong. */

export class ServerClock {
  #offsetMs = 0;

  /** Learns from a frame that tells the server's time. @param {{serverTime?: string}} frame */
  learn({ serverTime }) {
    const at = serverTime ? Date.parse(serverTime) : NaN;
    if (Number.isFinite(at)) this.#offsetMs = at - Date.now();
  }

  /** @returns {number} epoch milliseconds */
  now = () => Date.now() + this.#offsetMs;
}
