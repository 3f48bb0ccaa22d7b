/** The frames of a stream: read by the protocol, judged by the cursors, handed on in order and once. */

import { foreignLoss } from "./connection.js";
import { isApplied, messageOf } from "./sse.js";

/** A connection that has lived this long has proved itself: the next loss starts at the first delay. */
const STABLE_MS = 5_000;

/** @typedef {import("./connection.js").Connection} Connection */

export class Intake {
  #options;

  /**
   * @param {{cursors: import("./cursors.js").Cursors, patience: import("./connection.js").Patience,
   *   retries: import("./retries.js").Retries, onLive: (connectionId: string) => void,
   *   onFrame: (frame: any) => void, onRaw: (frame: any) => void}} options
   *   onFrame gets the frames to apply; onRaw every frame, before it is judged
   */
  constructor(options) {
    this.#options = options;
  }

  /** @param {{event: string, data: string}} frame @param {Connection} connection */
  take(frame, connection) {
    const message = messageOf(frame);
    if (!message) connection.lose(connection.id ? UNREADABLE : foreignLoss());
    else if (message.type === "going_away") connection.lose(GOING_AWAY);
    else if (message.type === "welcome") this.#welcome(message, connection);
    else if (!connection.id)
      connection.lose(foreignLoss()); // nothing comes before it
    else if (message.type === "probe") connection.probeAnswered(message.nonce);
    else this.#message(message, connection);
  }

  /** The server has refused to watch a session. @param {string} sessionId @param {string} code */
  watchRefused(sessionId, code) {
    this.#options.cursors.untrack(sessionId);
    this.#emit({ type: "watch_rejected", sessionId, code });
  }

  #welcome(message, connection) {
    const { connectionId, heartbeatMs, pingGrace, spreadMs = 0 } = message;
    if (typeof connectionId !== "string") return connection.lose(foreignLoss());
    const { patience, retries, cursors, onLive } = this.#options;
    if (heartbeatMs > 0) patience.heartbeatMs = heartbeatMs;
    if (pingGrace > 0) patience.pingGrace = pingGrace;
    retries.spreadMs = spreadMs;
    connection.welcome(connectionId);
    connection.after(STABLE_MS, () => retries.forget());
    onLive(connectionId);
    this.#emit(message);
    // Watches that were asked for while the request was on its way.
    const { watches } = connection;
    for (const [id, cursor] of cursors.entries())
      if (!watches.has(id) || watches.get(id) !== cursor) connection.watch(id, cursor);
  }

  #message(message, connection) {
    const { sessionId, type } = message;
    const { cursors, retries, onFrame, onRaw } = this.#options;
    if (type === "ping") retries.spreadMs = message.spreadMs ?? 0;
    onRaw(message);
    const verdict = cursors.accept(message);
    if (verdict === "gap") connection.repair(sessionId, cursors.get(sessionId) ?? 0);
    if (verdict !== "deliver") return;
    if (type === "unwatched") {
      // Not by a wish that still holds: an old `unwatch` came late, or came twice.
      connection.watch(sessionId, cursors.get(sessionId) ?? null);
      return;
    }
    if (type === "watch_rejected") cursors.untrack(sessionId);
    if (isApplied(message)) {
      connection.repaired(sessionId);
      connection.acknowledge();
    }
    onFrame(message);
  }

  #emit(message) {
    this.#options.onRaw(message);
    this.#options.onFrame(message);
  }
}

const UNREADABLE = { reason: "unreadable frame" };
const GOING_AWAY = { reason: "server going away", atOnce: true };
