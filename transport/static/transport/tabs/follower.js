/** A tab that lives on the stream of another: it listens, and takes over from a leader that does not move. */

import { Timers } from "../clock.js";

/** A leader that does not answer a tab in front within this time is taken for frozen. */
const ANSWER_MS = 1_000;
/** So long after a hidden leader should have tried again, its timers are taken to sleep. */
const OVERDUE_MS = 1_000;
/** Silence of the leader, in heartbeats: it hands on every ping. */
const SILENT_BEATS = 2.5;

export class Follower {
  #tab;
  #timers;
  #silenceMs;
  #takeOver;

  /**
   * @param {import("./tab.js").Tab} tab
   * @param {{heartbeatMs: number, takeOver: () => void}} options takeOver: the leader has not moved when it should have
   */
  constructor(tab, { heartbeatMs, takeOver }) {
    this.#tab = tab;
    this.#timers = new Timers(tab.clock);
    this.#silenceMs = SILENT_BEATS * heartbeatMs;
    this.#takeOver = () => tab.isVisible && takeOver();
  }

  start() {
    this.#listen();
  }

  end() {
    this.#timers.clear();
  }

  /** @param {string|null} fresh a session to catch up even if it was watched before, or "all" */
  want(fresh = null) {
    this.#tab.say({ t: "want", want: this.#tab.wish, fresh });
  }

  wake(reason) {
    this.#tab.say({ t: "wake", reason });
    if (reason === "foreground") this.#askLeader();
  }

  forget(connectionId) {
    this.#tab.say({ t: "forget", connectionId });
  }

  repair(sessionId, cursor) {
    this.#tab.say({ t: "repair", sessionId, cursor });
  }

  /** A word of another tab. @param {any} message */
  hear(message) {
    const { t } = message;
    if (t === "lead") {
      this.#tab.setStatus({ state: "connecting", connectionId: null });
      this.want();
      this.#listen();
    } else if (t === "roll") this.want();
    else if (t === "status" || t === "frame") {
      this.#listen();
      if (t === "status") this.#statusChanged(message);
      else this.#take(message.frame);
    }
  }

  #take(frame) {
    const hole = this.#tab.take(frame);
    if (hole) this.repair(hole.sessionId, hole.cursor);
  }

  /** A hidden tab's timers may sleep for a minute: one in front makes its next try, when that is due. */
  #statusChanged({ status, hidden }) {
    this.#timers.cancel("answer");
    this.#timers.cancel("overdue");
    const { connectionId } = status;
    const isNew = connectionId !== null && connectionId !== this.#tab.status.connectionId;
    this.#tab.setStatus(status);
    if (isNew) this.#tab.missing.forEach((sessionId) => this.want(sessionId));
    if (!hidden || status.state !== "waiting") return;
    const dueMs = status.retryAt - this.#tab.clock.now() + OVERDUE_MS;
    this.#timers.set("overdue", dueMs, this.#takeOver);
  }

  #listen() {
    this.#timers.set("silence", this.#silenceMs, () =>
      this.#tab.isVisible ? this.#askLeader() : this.#listen(),
    );
  }

  /** A leader that lives answers with its status. */
  #askLeader() {
    if (this.#timers.has("answer")) return;
    this.want("all");
    this.#timers.set("answer", ANSWER_MS, this.#takeOver);
  }
}
