/**
 * One event stream to the server, kept alive: the client half of docs/reference/protocol.md.
 *
 * A stream is disposable. The cursor of every watched session stays here; whatever goes wrong, the connection is
 * thrown away and the next one is opened with all cursors in its URL. Knows no DOM: clock, fetch and chance are injected.
 */

import { systemClock } from "./clock.js";
import { Connection, ownLoss, Patience } from "./connection.js";
import { Cursors } from "./cursors.js";
import { Intake } from "./intake.js";
import { Retries } from "./retries.js";

/**
 * @typedef {"idle"|"connecting"|"live"|"waiting"|"unauthorised"|"closed"} StreamState
 * @typedef {{state: StreamState, connectionId: string|null, downSince: number|null, retryAt: number|null,
 *   reason: string, isForeign: boolean}} StreamStatus downSince: when the connection was lost, null while it is live
 *   or was never up; isForeign: the last try was answered, but not by the server
 */

export class Stream {
  #options;
  #cursors = new Cursors();
  #patience;
  #retries;
  #intake;
  /** @type {Connection|null} */
  #connection = null;
  #retryTimer = null;
  /** @type {StreamStatus} */
  #status = noStatus();

  /**
   * @param {{fetch: typeof fetch, command: ReturnType<typeof import("./commands.js").createCommands>,
   *   onFrame: (frame: any) => void, onRaw?: (frame: any) => void, onStatus?: (status: StreamStatus) => void,
   *   url?: string, heartbeatMs?: number, pingGrace?: number, clock?: import("./clock.js").Clock, random?: () => number}} options
   *   onFrame gets the frames to apply, in order and once; onRaw every frame, before it is judged;
   *   pingGrace: silent heartbeats before the connection is replaced
   */
  constructor({ heartbeatMs = 15_000, pingGrace = 2, onFrame, onRaw = () => {}, ...options }) {
    this.#options = {
      url: "/api/chat/events",
      clock: systemClock,
      random: Math.random,
      onStatus: () => {},
      ...options,
    };
    this.#patience = new Patience(heartbeatMs, pingGrace);
    this.#retries = new Retries(this.#options.clock, this.#options.random);
    this.#intake = new Intake({
      cursors: this.#cursors,
      patience: this.#patience,
      retries: this.#retries,
      onLive: (connectionId) => this.#setStatus({ ...noStatus(), state: "live", connectionId }),
      onFrame,
      onRaw,
    });
  }

  /** @returns {StreamStatus} */
  get status() {
    return this.#status;
  }

  get connectionId() {
    return this.#status.connectionId;
  }

  /** @returns {number|null|undefined} */
  cursor(sessionId) {
    return this.#cursors.get(sessionId);
  }

  watches(sessionId) {
    return this.#cursors.has(sessionId);
  }

  // -- what may be asked ------------------------------------------------------------------------

  open() {
    if (this.#status.state === "idle" || this.#status.state === "closed") this.#connect();
  }

  /** Ends the stream; `open` starts a new one. */
  close(reason = "closed") {
    this.#options.clock.clearTimeout(this.#retryTimer);
    this.#connection?.end();
    this.#connection = null;
    this.#setStatus({ state: "closed", connectionId: null, reason });
  }

  /**
   * Follows a session from a cursor on (null: its snapshot first). A new connection carries it in its URL, a live
   * one is told by command.
   * @param {string} sessionId @param {number|null} cursor
   */
  watch(sessionId, cursor = null) {
    this.#cursors.track(sessionId, cursor);
    this.#connection?.watch(sessionId, cursor);
  }

  /** Follows a session no more. */
  unwatch(sessionId) {
    if (!this.#cursors.has(sessionId)) return;
    this.#cursors.untrack(sessionId);
    this.#connection?.unwatch(sessionId);
  }

  /** Asks for a session's snapshot once more, for a tab that has nothing of it yet. */
  again(sessionId) {
    this.#connection?.watch(sessionId, null);
  }

  /** Before the stream is up: it begins where the tab that has seen least is. @param {number} cursor */
  lower(sessionId, cursor) {
    const mine = this.#cursors.get(sessionId) ?? null;
    if (mine === null || cursor < mine) this.#cursors.track(sessionId, cursor);
  }

  /** Asks the server to continue from a cursor. @param {string} sessionId @param {number} cursor */
  repair(sessionId, cursor) {
    this.#connection?.repair(sessionId, cursor);
  }

  /**
   * Sends a command about the connection, once. Without a live one it says nothing.
   * @param {"suspend"|"resume"} name
   */
  async tell(name, body) {
    await this.#connection?.tell(name, body);
  }

  /**
   * A hint that the network may be back or may be dead: connect at once when down, probe when up.
   * @param {"online"|"foreground"|"offline"|"login"|"asked"} reason
   */
  wake(reason) {
    const { state } = this.#status;
    if (state === "live") {
      if (reason !== "offline") this.#retries.eager();
      this.probe();
    } else if (reason === "offline")
      return; // a server on this machine needs no network: keep trying
    else if (state === "waiting" || (state === "unauthorised" && reason === "login")) {
      this.#retries.hurried();
      this.#connect();
    }
  }

  /** Asks for a sign of life; without one within a second the connection is replaced. */
  probe() {
    this.#connection?.probe();
  }

  /** Throws the connection away, for a reason of this client's own; the next is opened at once. @param {string} reason */
  rebuild(reason) {
    this.#connection?.lose(ownLoss(reason));
  }

  /** Rebuilds when the server no longer knows this connection; a younger one is left alone. */
  forget(connectionId) {
    if (connectionId && connectionId === this.connectionId) this.rebuild("unknown connection");
  }

  // -- its life ---------------------------------------------------------------------------------

  #connect() {
    this.#options.clock.clearTimeout(this.#retryTimer);
    const connection = new Connection({
      ...this.#options,
      cursors: this.#cursors,
      patience: this.#patience,
      take: (frame) => this.#intake.take(frame, connection),
      onLost: (loss) => this.#lost(loss),
      onWatchRefused: (sessionId, code) => this.#intake.watchRefused(sessionId, code),
    });
    this.#connection = connection;
    this.#setStatus({ state: "connecting", connectionId: null, retryAt: null });
    connection.serve();
  }

  /** @param {import("./connection.js").Loss} loss */
  #lost(loss) {
    this.#connection = null;
    const { status, reason, isForeign = false } = loss;
    if (status === 401) {
      this.#setStatus({ state: "unauthorised", connectionId: null, reason: "log-in needed" });
      return;
    }
    if (status === 400) this.#cursors.forget(); // the server cannot read these: start from snapshots
    const { clock } = this.#options;
    const wasLive = this.#status.state === "live";
    const downSince = this.#status.downSince ?? (wasLive ? clock.now() : null);
    const wait = this.#retries.delayAfter(loss, wasLive);
    if (wait === 0) {
      this.#setStatus({ downSince, reason, isForeign });
      this.#connect();
      return;
    }
    const retryAt = clock.now() + wait;
    this.#retryTimer = clock.setTimeout(() => this.#connect(), wait);
    const state = "waiting";
    this.#setStatus({ state, connectionId: null, downSince, retryAt, reason, isForeign });
  }

  #setStatus(change) {
    this.#status = { ...this.#status, ...change };
    this.#options.onStatus(this.#status);
  }
}

/** @returns {StreamStatus} of a stream that was not opened yet */
export function noStatus() {
  return {
    state: "idle",
    connectionId: null,
    downSince: null,
    retryAt: null,
    reason: "",
    isForeign: false,
  };
}
