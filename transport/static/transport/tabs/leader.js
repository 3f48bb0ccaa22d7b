/** The tab that owns the stream: it hands every frame to the others, and knows which of them watches what. */

import { Timers } from "../clock.js";
import { Audience } from "./audience.js";

/** How long a new leader waits for the watches of the other tabs before it opens the stream. */
const ROLL_CALL_MS = 60;
/** The leader calls the roll this often; a tab that has missed two of them is closed or frozen. */
const ROLL_MS = 30_000;

/**
 * @typedef {import("../stream.js").Stream} Stream
 * @typedef {import("../stream.js").StreamStatus} StreamStatus
 * @typedef {import("./tab.js").Tab} Tab
 */

export class Leader {
  #tab;
  #timers;
  #stream;
  #audience;
  #isOver = false;

  /**
   * @param {Tab} tab
   * @param {{makeStream: (options: {onRaw: (frame: any) => void, onFrame: (frame: any) => void,
   *   onStatus: (status: StreamStatus) => void}) => Stream, beacon: ((body: any) => boolean)|null, maxWatches: number}} options
   */
  constructor(tab, { makeStream, beacon, maxWatches }) {
    this.#tab = tab;
    this.#timers = new Timers(tab.clock);
    const stream = makeStream({
      onRaw: (frame) => this.#isOver || this.#spread(frame),
      onFrame: () => {},
      onStatus: (status) => this.#isOver || this.#statusChanged(status),
    });
    this.#stream = stream;
    this.#audience = new Audience({
      ...{ stream, beacon, maxWatches, clock: tab.clock },
      onEvicted: (sessionId) =>
        this.#spread({ type: "watch_rejected", sessionId, code: "too_many_watches" }),
    });
  }

  /** Opens the stream: at once when alone, else when the other tabs have told what they watch. */
  start() {
    this.#tab.setStatus({ state: "connecting", connectionId: null });
    this.want();
    if (!this.#tab.channel) {
      this.#stream.open();
      return;
    }
    this.#tab.say({ t: "lead" });
    this.#timers.set("open", ROLL_CALL_MS, () => this.#stream.open());
    this.#callTheRoll();
  }

  end() {
    this.#isOver = true;
    this.#timers.clear();
    this.#stream.close();
    this.#tab.setStatus({ state: "connecting", connectionId: null });
  }

  /** @param {string|null} fresh a session to catch up even if it was watched before, or "all" */
  want(fresh = null) {
    this.#audience.want(this.#tab.id, this.#tab.wish, fresh);
  }

  wake(reason) {
    this.#stream.wake(reason);
  }

  forget(connectionId) {
    this.#stream.forget(connectionId);
  }

  repair(sessionId, cursor) {
    this.#stream.repair(sessionId, cursor);
  }

  /** A word of another tab. @param {any} message */
  hear({ t, from, want, fresh, reason, connectionId, sessionId, cursor }) {
    if (t === "want") {
      this.#audience.want(from, want, fresh);
      this.#sayStatus();
    } else if (t === "bye") this.#audience.forget(from);
    else if (t === "wake") this.wake(reason);
    else if (t === "forget") this.forget(connectionId);
    else if (t === "repair") this.repair(sessionId, cursor);
  }

  #statusChanged(status) {
    this.#tab.setStatus(status);
    this.#sayStatus();
    if (status.state !== "live") return;
    this.#audience.wentLive();
    this.#tab.missing.forEach((sessionId) => this.want(sessionId));
  }

  #sayStatus() {
    const { status, isVisible } = this.#tab;
    this.#tab.say({ t: "status", status, hidden: !isVisible });
  }

  /** Every frame goes to every tab, this one included; each judges it by its own cursors. */
  #spread(frame) {
    this.#tab.say({ t: "frame", frame });
    const hole = this.#tab.take(frame);
    if (hole) this.repair(hole.sessionId, hole.cursor);
  }

  #callTheRoll() {
    this.#timers.set("roll", ROLL_MS, () => {
      const { clock, id } = this.#tab;
      this.#audience.forgetSilent(clock.now() - 2 * ROLL_MS, id);
      this.#tab.say({ t: "roll" });
      this.#callTheRoll();
    });
  }
}
