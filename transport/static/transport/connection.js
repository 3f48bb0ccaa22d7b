/** One connection of a stream: its request, its frames, its commands, its silence, its loss. */

import { Acks } from "./acks.js";
import { Timers } from "./clock.js";
import { answerOf, isDone, isForeign, isRefused } from "./commands.js";
import { FrameParser } from "./sse.js";

/** The response comes at once by protocol; a proxy that holds it is as good as down. */
const CONNECT_MS = 15_000;
/** A connection without an answer to a probe within this time is half open. */
const PROBE_MS = 1_000;
/** A hole that `reconnect` has not filled by then is filled by a new connection. */
const REPAIR_MS = 10_000;

/**
 * @typedef {{reason: string, atOnce?: boolean, isOwn?: boolean, atLeastMs?: number, isForeign?: boolean,
 *   status?: number}} Loss the end of a connection. atOnce: the next is opened without a delay; isOwn: for a reason
 *   of this client's own, and any other end of a live connection may be everybody's; atLeastMs: Retry-After;
 *   isForeign: another server has answered; status: of a request that was refused
 */

/** A loss for a reason of this client's own. @param {string} reason @returns {Loss} */
export function ownLoss(reason) {
  return { reason, atOnce: true, isOwn: true };
}

/** Another server has answered. It may let the next try through, when the person has logged in there. @returns {Loss} */
export function foreignLoss() {
  return { reason: "an answer that is not Backstay's", isForeign: true };
}

/** How long a server may be silent: some of its heartbeats. */
export class Patience {
  /** @param {number} heartbeatMs @param {number} pingGrace silent heartbeats before a connection is replaced */
  constructor(heartbeatMs, pingGrace) {
    this.heartbeatMs = heartbeatMs;
    this.pingGrace = pingGrace;
  }

  /** The longest silence of a connection that lives. */
  get silenceMs() {
    return this.heartbeatMs * this.pingGrace;
  }
}

export class Connection {
  /** @type {string|null} null until the server has named it */
  id = null;
  /** @type {Map<string, number|null>} the cursors in its URL */
  watches;
  #options;
  #timers;
  #abort = new AbortController();
  /** @type {Acks|null} */
  #acks = null;
  #isOver = false;
  #nonce = "";

  /**
   * @param {{fetch: typeof fetch, command: ReturnType<typeof import("./commands.js").createCommands>, url: string,
   *   cursors: import("./cursors.js").Cursors, patience: Patience, clock: import("./clock.js").Clock, random: () => number,
   *   take: (frame: {event: string, id: string, data: string}) => void, onLost: (loss: Loss) => void,
   *   onWatchRefused: (sessionId: string, code: string) => void}} options
   */
  constructor(options) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.watches = new Map(options.cursors.entries());
  }

  /** Takes frames until the connection is lost. */
  async serve() {
    this.#loseAfter("answer", CONNECT_MS, { reason: "no answer" });
    try {
      const response = await this.#options.fetch(this.#href(), {
        headers: { Accept: "text/event-stream" },
        signal: this.#abort.signal,
        cache: "no-store",
        credentials: "same-origin",
        redirect: "manual", // the server sends none: it is a proxy that sends the page elsewhere
      });
      if (this.#isOver) return;
      if (response.status !== 200 || !response.body) await this.#refused(response);
      else if (!isEventStream(response)) this.lose(foreignLoss());
      else await this.#read(response.body);
    } catch (error) {
      this.lose({ reason: error instanceof Error ? error.name : "error" });
    }
  }

  /** Ends the connection; the first loss counts. @param {Loss} loss */
  lose(loss) {
    if (this.#isOver) return;
    this.end();
    this.#options.onLost(loss);
  }

  /** Ends everything that belongs to this connection; nothing more is heard of it. */
  end() {
    this.#isOver = true;
    this.#abort.abort();
    this.#timers.clear();
    this.#acks?.end();
  }

  // -- its commands -----------------------------------------------------------------------------

  /**
   * Sends a command about this connection, once; before it is live there is none. An answer that leaves the server's
   * knowledge of the connection open ends it.
   * @param {string} name @param {object} body
   */
  async tell(name, body) {
    if (!this.id) return null;
    try {
      const answer = await this.#options.command(name, body, this.id);
      if (answer.body?.code === "unknown_connection") this.lose(ownLoss("unknown connection"));
      else if (!isDone(answer) && !isRefused(answer))
        this.lose({ reason: `${name} got status ${answer.status}` });
      return answer;
    } catch {
      this.lose({ reason: `${name} failed` });
      return null;
    }
  }

  /** @param {string} sessionId @param {number|null} cursor null: its snapshot first */
  async watch(sessionId, cursor) {
    const answer = await this.tell(
      "watch",
      cursor === null ? { sessionId } : { sessionId, cursor },
    );
    if (this.#isOver || !answer || !isRefused(answer)) return;
    this.#options.onWatchRefused(sessionId, answer.body.code);
  }

  /** @param {string} sessionId */
  unwatch(sessionId) {
    this.repaired(sessionId);
    this.#acks?.forget(sessionId);
    if (this.id) this.#options.command("unwatch", { sessionId }, this.id).catch(() => {});
  }

  /** Asks for a sign of life; without one within PROBE_MS the connection is lost. */
  probe() {
    const { random, clock } = this.#options;
    if (!this.id || !this.#loseAfter("probe", PROBE_MS, ownLoss("probe unanswered"))) return;
    this.#nonce = Math.floor(random() * 2 ** 48).toString(36) + clock.now().toString(36);
    this.tell("probe", { nonce: this.#nonce });
  }

  /** @param {string} nonce */
  probeAnswered(nonce) {
    if (nonce === this.#nonce) this.#timers.cancel("probe");
  }

  /** Asks for the missing events; once, until they come or the connection is lost. */
  repair(sessionId, cursor) {
    if (!this.id || !this.#loseAfter(`repair ${sessionId}`, REPAIR_MS, ownLoss("gap not filled")))
      return;
    this.tell("reconnect", { sessions: [{ sessionId, cursor }] });
  }

  /** The missing events have come. @param {string} sessionId */
  repaired(sessionId) {
    this.#timers.cancel(`repair ${sessionId}`);
  }

  /** A frame was applied: its acknowledgement goes out soon. */
  acknowledge() {
    this.#acks?.plan();
  }

  // -- its frames -------------------------------------------------------------------------------

  /** The server has named it: it is live. @param {string} id */
  welcome(id) {
    const { command, cursors, clock } = this.#options;
    this.id = id;
    this.#timers.cancel("answer");
    this.#petWatchdog();
    this.#acks = new Acks({
      command,
      cursors,
      clock,
      connectionId: id,
      onUnknown: () => this.lose(ownLoss("unknown connection")),
    });
  }

  /** Does something when the connection has lived so long. @param {number} ms @param {() => void} run */
  after(ms, run) {
    this.#timers.set("lived", ms, run);
  }

  async #read(body) {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    const parser = new FrameParser((frame) => {
      if (!this.#isOver) this.#options.take(frame);
    });
    this.#petWatchdog();
    for (;;) {
      const { value, done } = await reader.read();
      if (this.#isOver) return;
      if (done) break;
      this.#petWatchdog();
      parser.push(decoder.decode(value, { stream: true }));
    }
    this.lose({ reason: "ended" });
  }

  /** @param {Response} response */
  async #refused(response) {
    const answer = await answerOf(response, this.#options.clock.now());
    if (isForeign(answer)) return this.lose(foreignLoss());
    const { status, retryAfterMs } = answer;
    return this.lose({ reason: `status ${status}`, atLeastMs: retryAfterMs, status });
  }

  #petWatchdog() {
    this.#timers.cancel("silence");
    const { silenceMs } = this.#options.patience;
    this.#loseAfter("silence", silenceMs, { reason: "silent", atOnce: true });
  }

  /** Plans a loss; false when it is planned already. @param {string} name @param {number} ms @param {Loss} loss */
  #loseAfter(name, ms, loss) {
    if (this.#isOver || this.#timers.has(name)) return false;
    this.#timers.set(name, ms, () => this.lose(loss));
    return true;
  }

  #href() {
    const query = [...this.watches].map(
      ([id, cursor]) => `watch=${encodeURIComponent(cursor === null ? id : `${id}:${cursor}`)}`,
    );
    const { url } = this.#options;
    return query.length ? `${url}?${query.join("&")}` : url;
  }
}

/** @param {Response} response */
function isEventStream({ headers }) {
  return /^text\/event-stream\b/i.test(headers.get("Content-Type") ?? "");
}
