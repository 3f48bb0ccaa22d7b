/**
 * One event stream to the server, kept alive: the client half of docs/reference/protocol.md.
 *
 * A stream is disposable. It holds a cursor per watched session; whatever goes wrong, it is thrown away and
 * a new one is opened with all cursors in its URL. Knows no DOM: clock, fetch and chance are injected.
 */

import { backoffMs, systemClock } from "./clock.js";
import { Cursors } from "./cursors.js";
import { answerOf, isDone, isForeign, jsonOf } from "./commands.js";
import { FrameParser } from "./sse.js";

/** A stream that has lived this long has proved itself: the next loss starts again at the first delay. */
const STABLE_MS = 5_000;
/** No answer to a probe within this time: a frozen or half-open socket. */
const PROBE_MS = 1_000;
/** A hole that `reconnect` has not filled by then will be filled by a new stream. */
const REPAIR_MS = 10_000;
/** Response headers come at once by protocol; a proxy that holds them is as good as down. */
const CONNECT_MS = 15_000;
/** A line that turns out dead this soon after the page came back is replaced at once. */
const EAGER_MS = 3_000;
/** So often a stream is replaced at once before one has proved itself; then with delays: no server is to be hammered. */
const MAX_AT_ONCE = 2;
/** Receipts of applied events are sent at most this often. */
const ACK_MS = 3_000;
/** Of the statuses of a refused command, those that another try may not meet again. */
const PASSING = new Set([401, 408, 425, 429]);

/**
 * @typedef {"idle"|"connecting"|"live"|"waiting"|"unauthorised"|"closed"} StreamState
 * @typedef {{state: StreamState, connectionId: string|null, downSince: number|null, retryAt: number|null,
 *   reason: string, isForeign: boolean}} StreamStatus downSince: when the connection was lost, null while it is live
 *   or was never up; isForeign: the last try was answered, but not by the server
 */

export class Stream {
  #options;
  #cursors = new Cursors();
  /** @type {Map<string, any>} sessions with a hole, each with its deadline timer */
  #repairs = new Map();
  /** @type {Map<string, number>} the receipts of this connection, by session */
  #acked = new Map();
  #isAcking = false;
  /** @type {Map<string, number|null>} the cursors in the URL of the present connection */
  #inUrl = new Map();
  #ackTimer = null;
  #epoch = 0;
  #attempt = 0;
  #eagerUntil = 0;
  #atOnce = 0;
  /** @type {AbortController|null} */
  #abort = null;
  #retryTimer = null;
  #watchdog = null;
  #connectTimer = null;
  #stableTimer = null;
  /** @type {{nonce: string, timer: any}|null} */
  #probe = null;
  #heartbeatMs;
  /** The time over which all clients of this server come back, as it told last. */
  #spreadMs = 0;
  /** @type {StreamStatus} */
  #status = noStatus();

  /**
   * @param {{fetch: typeof fetch, command: ReturnType<typeof import("./commands.js").createCommands>,
   *   onFrame: (frame: any) => void, onStatus?: (status: StreamStatus) => void, onRaw?: (frame: any) => void,
   *   url?: string, heartbeatMs?: number, pingGrace?: number, clock?: import("./clock.js").Clock, random?: () => number}} options
   *   onFrame gets the frames to apply, in order; onRaw gets every frame before it is judged;
   *   pingGrace: silent heartbeats before the stream is replaced
   */
  constructor(options) {
    this.#options = {
      url: "/api/chat/events",
      pingGrace: 2,
      clock: systemClock,
      random: Math.random,
      onStatus: () => {},
      onRaw: null,
      ...options,
    };
    this.#heartbeatMs = options.heartbeatMs ?? 15_000;
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

  sessions() {
    return this.#cursors
      .entries()
      .map(([sessionId, cursor]) => ({ sessionId, cursor: cursor ?? 0 }));
  }

  open() {
    if (this.#status.state === "idle" || this.#status.state === "closed") this.#connect();
  }

  /** Ends the stream; `open` starts a new one. */
  close(reason = "closed") {
    this.#drop();
    this.#setStatus({ state: "closed", connectionId: null, reason });
  }

  /**
   * Watches a session from a cursor (null: its snapshot). A new stream carries it in its URL, a live one
   * is told by command.
   * @param {string} sessionId @param {number|null} cursor
   */
  watch(sessionId, cursor = null) {
    this.#cursors.track(sessionId, cursor);
    if (this.connectionId) this.#tellWatch(sessionId, cursor);
  }

  unwatch(sessionId) {
    if (!this.#cursors.has(sessionId)) return;
    this.#cursors.untrack(sessionId);
    this.#endRepair(sessionId);
    this.#acked.delete(sessionId);
    if (this.connectionId)
      this.#options.command("unwatch", { sessionId }, this.connectionId).catch(() => {});
  }

  /** Asks for a session's snapshot once more, for a tab that has nothing of it yet. */
  again(sessionId) {
    if (this.connectionId) this.#tellWatch(sessionId, null);
  }

  /** Before the stream is up: it begins where the tab that has seen least is. @param {number} cursor */
  lower(sessionId, cursor) {
    const mine = this.#cursors.get(sessionId) ?? null;
    if (mine === null || cursor < mine) this.#cursors.track(sessionId, cursor);
  }

  /**
   * Asks the server to continue from a cursor: the answer comes over the stream.
   * @param {string} sessionId @param {number} cursor
   */
  repair(sessionId, cursor) {
    if (this.#repairs.has(sessionId)) return;
    const timer = this.#options.clock.setTimeout(() => this.rebuild("gap not filled"), REPAIR_MS);
    this.#repairs.set(sessionId, timer);
    this.#tell("reconnect", { sessions: [{ sessionId, cursor }] });
  }

  /**
   * Something says that the line may be back or may be dead: connect at once when down, ask when up.
   * @param {"online"|"foreground"|"offline"|"login"|"asked"} reason
   */
  wake(reason) {
    const { state } = this.#status;
    if (state === "live") {
      if (reason !== "offline") this.#eagerUntil = this.#options.clock.now() + EAGER_MS;
      this.probe();
    } else if (reason === "offline")
      return; // a server on this machine needs no network: keep trying
    else if (state === "waiting" || (state === "unauthorised" && reason === "login")) {
      this.#attempt = 0;
      this.#connect();
    }
  }

  /** Asks for a sign of life; without one within a second the stream is rebuilt. */
  probe() {
    if (this.#probe || !this.connectionId) return;
    const nonce =
      Math.floor(this.#options.random() * 2 ** 48).toString(36) +
      this.#options.clock.now().toString(36);
    this.#probe = {
      nonce,
      timer: this.#options.clock.setTimeout(() => this.rebuild("probe unanswered"), PROBE_MS),
    };
    this.#tell("probe", { nonce });
  }

  /** Throws this stream away, for a reason of this client's own, and opens the next at once. @param {string} reason */
  rebuild(reason) {
    if (this.#status.state === "closed" || this.#status.state === "idle") return;
    this.#lost(reason, { atOnce: true, alone: true });
  }

  /** The stream with this id is unknown to the server. A younger stream is left alone. */
  forget(connectionId) {
    if (connectionId && connectionId === this.connectionId) this.rebuild("unknown connection");
  }

  // -- the life of one stream -------------------------------------------------------------------

  async #connect() {
    this.#drop();
    const epoch = this.#epoch;
    const abort = new AbortController();
    this.#abort = abort;
    this.#setStatus({ state: "connecting", connectionId: null, retryAt: null });
    this.#connectTimer = this.#options.clock.setTimeout(() => this.#lost("no answer"), CONNECT_MS);
    try {
      const response = await this.#options.fetch(this.#href(), {
        headers: { Accept: "text/event-stream" },
        signal: abort.signal,
        cache: "no-store",
        credentials: "same-origin",
        redirect: "manual", // the server sends none: it is a proxy that sends the page elsewhere
      });
      if (epoch !== this.#epoch) return;
      if (response.status !== 200 || !response.body) await this.#refused(response, epoch);
      else if (!isEventStream(response)) this.#foreign();
      else await this.#read(response.body, epoch);
    } catch (error) {
      if (epoch === this.#epoch) this.#lost(error instanceof Error ? error.name : "error");
    }
  }

  #href() {
    this.#inUrl = new Map(this.#cursors.entries());
    const query = [...this.#inUrl].map(
      ([id, cursor]) => `watch=${encodeURIComponent(cursor === null ? id : `${id}:${cursor}`)}`,
    );
    return query.length ? `${this.#options.url}?${query.join("&")}` : this.#options.url;
  }

  async #refused(response, epoch) {
    const answer = await answerOf(response, this.#options.clock.now());
    const { status, retryAfterMs, isOurs } = answer;
    if (epoch !== this.#epoch) return;
    if (isForeign(answer)) return this.#foreign();
    if (status === 401) {
      this.#drop();
      this.#setStatus({ state: "unauthorised", connectionId: null, reason: "login needed" });
      return;
    }
    if (status === 400 && isOurs)
      this.#cursors.entries().forEach(([id]) => this.#cursors.track(id, null)); // cursors it cannot read: start from snapshots
    this.#lost(`status ${status}`, { atLeastMs: retryAfterMs });
  }

  async #read(body, epoch) {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    const parser = new FrameParser((frame) => {
      if (epoch === this.#epoch) this.#frame(frame);
    });
    this.#petWatchdog();
    for (;;) {
      const { value, done } = await reader.read();
      if (epoch !== this.#epoch) return;
      if (done) break;
      this.#petWatchdog();
      parser.push(decoder.decode(value, { stream: true }));
    }
    this.#lost("ended");
  }

  /** Another server has answered. It may let the next try through, when the person has logged in there. */
  #foreign() {
    this.#lost("an answer that is not Backstay's", { isForeign: true });
  }

  /** Ends whatever belongs to the present stream; later words of it are not heard (a new epoch). */
  #drop() {
    const { clock } = this.#options;
    this.#epoch += 1;
    this.#abort?.abort();
    this.#abort = null;
    for (const timer of [
      this.#retryTimer,
      this.#watchdog,
      this.#connectTimer,
      this.#stableTimer,
      this.#ackTimer,
    ])
      clock.clearTimeout(timer);
    this.#retryTimer =
      this.#watchdog =
      this.#connectTimer =
      this.#stableTimer =
      this.#ackTimer =
        null;
    if (this.#probe) clock.clearTimeout(this.#probe.timer);
    this.#probe = null;
    [...this.#repairs.keys()].forEach((id) => this.#endRepair(id));
    this.#acked.clear();
    this.#isAcking = false;
  }

  /**
   * This stream is over, and the next one is opened: at once, or after the delay whose turn it is.
   * @param {string} reason
   * @param {{atOnce?: boolean, alone?: boolean, atLeastMs?: number, isForeign?: boolean}} [how] alone: for a reason of this client's own;
   *   whatever else ends a live stream may have ended everybody's. atLeastMs: Retry-After
   */
  #lost(reason, { atOnce = false, alone = false, atLeastMs = 0, isForeign = false } = {}) {
    this.#drop();
    const { clock, random } = this.#options;
    const wasLive = this.#status.state === "live";
    const downSince = this.#status.downSince ?? (wasLive ? clock.now() : null);
    const isEager = !atOnce && !atLeastMs && clock.now() < this.#eagerUntil;
    if (isEager) this.#eagerUntil = 0;
    const spread = wasLive && !alone && !isEager ? Math.round(random() * this.#spreadMs) : 0;
    const isAtOnce = isEager || (atOnce && this.#atOnce < MAX_AT_ONCE);
    const wait = Math.max((isAtOnce ? 0 : backoffMs(this.#attempt, random)) + spread, atLeastMs);
    if (isAtOnce) this.#atOnce += 1;
    else this.#attempt += 1;
    if (wait === 0) {
      this.#setStatus({ downSince, reason, isForeign });
      this.#connect();
      return;
    }
    this.#setStatus({
      state: "waiting",
      connectionId: null,
      downSince,
      retryAt: clock.now() + wait,
      reason,
      isForeign,
    });
    this.#retryTimer = clock.setTimeout(() => this.#connect(), wait);
  }

  #petWatchdog() {
    const { clock } = this.#options;
    clock.clearTimeout(this.#watchdog);
    this.#watchdog = clock.setTimeout(
      () => this.#lost("silent", { atOnce: true }),
      this.#options.pingGrace * this.#heartbeatMs,
    );
  }

  #setStatus(change) {
    this.#status = { ...this.#status, ...change };
    this.#options.onStatus(this.#status);
  }

  // -- frames -----------------------------------------------------------------------------------

  #frame({ event, data }) {
    const frame = jsonOf(data);
    if (!frame) {
      if (this.connectionId) this.#lost("unreadable frame");
      else this.#foreign();
      return;
    }
    if (event === "welcome" || event === "ping") this.#spreadMs = frame.spreadMs ?? 0;
    if (event === "welcome") this.#welcome(frame);
    else if (!this.connectionId && frame.type !== "going_away")
      this.#foreign(); // nothing comes before it
    else if (event === "ping") this.#emit({ type: "ping", ...frame });
    else this.#message(frame);
  }

  #welcome(frame) {
    if (typeof frame.connectionId !== "string") return this.#foreign();
    const { clock } = this.#options;
    clock.clearTimeout(this.#connectTimer);
    this.#connectTimer = null;
    if (frame.heartbeatMs > 0) this.#heartbeatMs = frame.heartbeatMs;
    if (frame.pingGrace > 0) this.#options.pingGrace = frame.pingGrace;
    this.#petWatchdog();
    this.#stableTimer = clock.setTimeout(() => {
      this.#attempt = this.#atOnce = 0;
    }, STABLE_MS);
    this.#setStatus({
      state: "live",
      connectionId: frame.connectionId,
      downSince: null,
      retryAt: null,
      reason: "",
      isForeign: false,
    });
    this.#emit({ type: "welcome", ...frame });
    // Watches that were asked for while the request was on its way.
    for (const [id, cursor] of this.#cursors.entries()) {
      if (!this.#inUrl.has(id) || this.#inUrl.get(id) !== cursor) this.#tellWatch(id, cursor);
    }
  }

  #emit(frame) {
    this.#options.onRaw?.(frame);
    this.#options.onFrame(frame);
  }

  #message(frame) {
    if (frame.type === "going_away") return this.#lost("server going away", { atOnce: true });
    if (frame.type === "probe") return this.#probeAnswered(frame.nonce);
    this.#options.onRaw?.(frame);
    const { sessionId } = frame;
    const verdict = this.#cursors.accept(frame);
    if (verdict === "gap") return this.repair(sessionId, this.#cursors.get(sessionId) ?? 0);
    if (verdict === "drop") return undefined;
    if (frame.type === "unwatched") {
      // Not by a wish that still holds: an old `unwatch` came late, or came twice.
      return this.watch(sessionId, this.#cursors.get(sessionId) ?? null);
    }
    if (frame.type === "watch_rejected") this.#cursors.untrack(sessionId);
    if (frame.seq !== undefined || frame.type === "session_snapshot") {
      this.#endRepair(sessionId);
      this.#planAck();
    }
    return this.#options.onFrame(frame);
  }

  #probeAnswered(nonce) {
    if (!this.#probe || this.#probe.nonce !== nonce) return;
    this.#options.clock.clearTimeout(this.#probe.timer);
    this.#probe = null;
  }

  #endRepair(sessionId) {
    this.#options.clock.clearTimeout(this.#repairs.get(sessionId));
    this.#repairs.delete(sessionId);
  }

  // -- commands of the stream -------------------------------------------------------------------

  /**
   * A command about this stream, sent once. Without a live stream it says nothing.
   * @param {"suspend"|"resume"} name
   */
  tell(name, body) {
    return this.connectionId ? this.#tell(name, body) : Promise.resolve(null);
  }

  /** Sent once; an answer that leaves the state of this stream open makes a new one. */
  async #tell(name, body) {
    const { connectionId } = this;
    const epoch = this.#epoch;
    try {
      const answer = await this.#options.command(name, body, connectionId);
      if (answer.body?.code === "unknown_connection") this.forget(connectionId);
      else if (!isDone(answer) && !isRefused(answer) && epoch === this.#epoch)
        this.#lost(`${name} got status ${answer.status}`);
      return answer;
    } catch {
      if (epoch === this.#epoch) this.#lost(`${name} failed`);
      return null;
    }
  }

  async #tellWatch(sessionId, cursor) {
    const answer = await this.#tell(
      "watch",
      cursor === null ? { sessionId } : { sessionId, cursor },
    );
    if (!answer || !isRefused(answer) || answer.body.code === "unknown_connection") return;
    this.#cursors.untrack(sessionId);
    this.#emit({ type: "watch_rejected", sessionId, code: answer.body.code });
  }

  #planAck() {
    if (this.#ackTimer !== null || this.#isAcking) return;
    this.#ackTimer = this.#options.clock.setTimeout(() => {
      this.#ackTimer = null;
      if (this.connectionId && this.#unacked().length) this.#ack();
    }, ACK_MS);
  }

  /** The receipts that the server may not have. */
  #unacked() {
    return this.sessions().filter(
      ({ sessionId, cursor }) => cursor > 0 && this.#acked.get(sessionId) !== cursor,
    );
  }

  /**
   * Sends receipts of applied events. After the last event of a turn nothing more comes, so one that is lost is told again with
   * the next that is planned: a receipt that says the same or more can be repeated.
   */
  async #ack() {
    const { connectionId } = this;
    const epoch = this.#epoch;
    const news = this.#unacked();
    this.#isAcking = true;
    const answer = await this.#options
      .command("ack", { sessions: news }, connectionId)
      .catch(() => null);
    if (epoch !== this.#epoch) return;
    this.#isAcking = false;
    if (answer?.body?.code === "unknown_connection") {
      this.forget(connectionId);
      return;
    }
    if (answer && (isDone(answer) || isRefused(answer)))
      news.forEach(({ sessionId, cursor }) => this.#acked.set(sessionId, cursor));
    if (this.#unacked().length) this.#planAck();
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

/** @param {Response} response */
function isEventStream({ headers }) {
  return /^text\/event-stream\b/i.test(headers.get("Content-Type") ?? "");
}

/** Whether the server itself has refused permanently: a gateway's page has no code. */
function isRefused({ status, body, isOurs }) {
  return isOurs && status >= 400 && status < 500 && Boolean(body?.code) && !PASSING.has(status);
}
