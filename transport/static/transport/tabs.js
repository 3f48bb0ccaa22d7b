/**
 * One stream for all tabs of a browser.
 *
 * Browsers open six HTTP/1.1 connections per host: a stream per tab would leave the seventh tab of every
 * site hanging. So one tab leads (it holds a Web Lock) and owns the stream; it hands every frame to the
 * others by BroadcastChannel, unjudged, because each tab has cursors of its own. When the leader closes,
 * freezes or hangs, another tab takes the lock and opens the next stream from the cursors of all.
 *
 * The same face as Stream. Without Web Locks or BroadcastChannel (plain http on another host than
 * localhost) every tab leads alone.
 */

import { Audience } from "./audience.js";
import { systemClock } from "./clock.js";
import { Cursors } from "./cursors.js";
import { randomId } from "./ids.js";
import { noStatus } from "./stream.js";

/** How long a new leader waits for the watches of the other tabs before it opens the stream. */
const ROLL_CALL_MS = 60;
/** A leader that does not answer a tab in front within this time is taken for frozen. */
const ANSWER_MS = 1_000;
/** So long after a hidden leader should have tried again, its timers are taken to sleep. */
const OVERDUE_MS = 1_000;
/** The same hole is reported again only after this time. */
const REPAIR_PAUSE_MS = 2_000;
/** The leader calls the roll this often; a tab that has missed two of them is closed or frozen. */
const ROLL_MS = 30_000;
/** Silence of the leader, in heartbeats: it hands on every ping. */
const SILENT_BEATS = 2.5;

/**
 * @typedef {import("./stream.js").Stream} Stream
 * @typedef {import("./stream.js").StreamStatus} StreamStatus
 */

export class SharedStream {
  #options;
  #mine = new Cursors();
  /** @type {Map<string, number>} when a hole of a session was last reported */
  #reported = new Map();
  /** @type {Stream|null} the stream itself, in the tab that leads */
  #inner = null;
  /** @type {Audience|null} the tabs that it is held for, in that tab too */
  #audience = null;
  #isOpen = false;
  #isFrozen = false;
  #isVisible = true;
  /** @type {BroadcastChannel|null} */
  #channel = null;
  /** @type {AbortController|null} */
  #request = null;
  /** @type {((value: any) => void)|null} */
  #release = null;
  #silence = null;
  #question = null;
  #overdue = null;
  #roll = null;
  /** @type {StreamStatus} */
  #status = noStatus();

  /**
   * @param {{makeStream: (options: {onRaw: (frame: any) => void, onFrame: (frame: any) => void,
   *   onStatus: (status: StreamStatus) => void}) => Stream, onFrame: (frame: any) => void,
   *   onStatus?: (status: StreamStatus) => void, name: string, heartbeatMs: number, locks?: Pick<LockManager, "request">|null,
   *   makeChannel?: ((name: string) => BroadcastChannel)|null, beacon?: ((body: any) => boolean)|null,
   *   clock?: import("./clock.js").Clock, tabId?: string, maxWatches?: number,
   *   importance?: (sessionId: string) => number}} options
   *   name: one per login; beacon: sends a suspend that must leave before the page is frozen;
   *   maxWatches: sessions of all tabs; over it, those of the least importance are evicted
   */
  constructor(options) {
    this.#options = {
      onStatus: () => {},
      locks: null,
      makeChannel: null,
      beacon: null,
      clock: systemClock,
      tabId: randomId(),
      maxWatches: Infinity,
      importance: () => 0,
      ...options,
    };
  }

  get status() {
    return this.#status;
  }

  get connectionId() {
    return this.#status.connectionId;
  }

  get leads() {
    return this.#inner !== null;
  }

  watches(sessionId) {
    return this.#mine.has(sessionId);
  }

  cursor(sessionId) {
    return this.#mine.get(sessionId);
  }

  open() {
    if (this.#isOpen) return;
    this.#isOpen = true;
    const { locks, makeChannel, name } = this.#options;
    if (!locks || !makeChannel) {
      this.#lead();
      return;
    }
    const channel = this.#channel ?? makeChannel(name);
    this.#channel = channel;
    channel.onmessage = ({ data }) => this.#hear(data);
    this.#queueForLead(false);
    this.#sayWhat();
    this.#listen();
  }

  /** Ends this tab's part; the stream itself too when it leads. */
  close() {
    if (!this.#isOpen) return;
    this.#say({ t: "bye" });
    this.#resign();
    this.#isOpen = false;
    this.#options.clock.clearTimeout(this.#silence);
    this.#options.clock.clearTimeout(this.#question);
    this.#options.clock.clearTimeout(this.#overdue);
    if (this.#channel) this.#channel.onmessage = null;
    this.#setStatus({ state: "closed", connectionId: null });
  }

  /** @param {string} sessionId @param {number|null} [cursor] */
  watch(sessionId, cursor = null) {
    this.#mine.track(sessionId, cursor);
    this.#sayWhat(sessionId);
  }

  unwatch(sessionId) {
    this.#mine.untrack(sessionId);
    this.#sayWhat();
  }

  /** @param {"online"|"foreground"|"offline"|"login"|"asked"} reason */
  wake(reason) {
    if (this.#inner) {
      this.#inner.wake(reason);
      return;
    }
    this.#say({ t: "wake", reason });
    if (reason === "foreground" && this.#channel) this.#askLeader();
  }

  forget(connectionId) {
    if (this.#inner) this.#inner.forget(connectionId);
    else this.#say({ t: "forget", connectionId });
  }

  /** Whether anybody can see this tab. @param {boolean} isVisible */
  see(isVisible) {
    if (isVisible === this.#isVisible) return;
    this.#isVisible = isVisible;
    this.#sayWhat();
  }

  /** The browser is about to freeze this page: the leader must be able to. */
  freeze() {
    this.#isFrozen = true;
    this.#resign();
  }

  thaw() {
    if (!this.#isFrozen) return;
    this.#isFrozen = false;
    if (this.#isOpen && this.#channel) this.#queueForLead(false);
    else if (this.#isOpen) this.#lead();
    this.#sayWhat("all");
  }

  // -- the lead ---------------------------------------------------------------------------------

  /** Waits for the lock; the browser gives it when the tab that leads is gone. */
  #queueForLead(steal) {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    // A request that steals takes no signal.
    const options = steal ? { steal: true } : { signal: request.signal };
    this.#options.locks
      .request(
        `${this.#options.name}.leader`,
        options,
        () =>
          new Promise((release) => {
            if (request.signal.aborted || !this.#isOpen) {
              release(undefined);
              return;
            }
            this.#release = release;
            this.#lead();
          }),
      )
      .catch(() => {
        // Stolen: this tab was taken for frozen. Or aborted: then this tab does not wait any more.
        if (this.#request !== request || request.signal.aborted) return;
        this.#release = null;
        this.#resign();
        if (this.#isOpen && !this.#isFrozen) {
          this.#queueForLead(false);
          this.#sayWhat();
        }
      });
  }

  #lead() {
    const { beacon, clock, tabId, makeStream, maxWatches } = this.#options;
    const inner = makeStream({
      onRaw: (frame) => inner === this.#inner && this.#spread(frame),
      onFrame: () => {},
      onStatus: (status) => inner === this.#inner && this.#innerStatus(status),
    });
    this.#inner = inner;
    this.#audience = new Audience({
      stream: inner,
      clock,
      beacon,
      maxWatches,
      onEvicted: (sessionId) =>
        this.#spread({ type: "watch_rejected", sessionId, code: "too_many_watches" }),
    });
    clock.clearTimeout(this.#silence);
    clock.clearTimeout(this.#question);
    clock.clearTimeout(this.#overdue);
    this.#setStatus({ state: "connecting", connectionId: null });
    this.#audience.want(tabId, this.#whatIWant());
    if (!this.#channel) {
      inner.open();
      return;
    }
    this.#say({ t: "lead" });
    clock.setTimeout(() => inner === this.#inner && inner.open(), ROLL_CALL_MS);
    this.#callTheRoll();
  }

  #resign() {
    this.#request?.abort();
    this.#options.clock.clearTimeout(this.#roll);
    const inner = this.#inner;
    this.#inner = null;
    this.#audience = null;
    inner?.close();
    this.#release?.(undefined);
    this.#release = null;
    if (inner) this.#setStatus({ state: "connecting", connectionId: null });
  }

  #innerStatus(status) {
    this.#setStatus(status);
    this.#say({ t: "status", status, hidden: !this.#isVisible });
    if (status.state !== "live") return;
    this.#audience?.wentLive();
    this.#askForMissing();
  }

  /** Every frame goes to every tab, this one included; each judges it by its own cursors. */
  #spread(frame) {
    this.#say({ t: "frame", frame });
    this.#take(frame);
  }

  #callTheRoll() {
    const { clock, tabId } = this.#options;
    this.#roll = clock.setTimeout(() => {
      this.#audience?.forgetSilent(clock.now() - 2 * ROLL_MS, tabId);
      this.#say({ t: "roll" });
      this.#callTheRoll();
    }, ROLL_MS);
  }

  // -- the channel ------------------------------------------------------------------------------

  #say(message) {
    this.#channel?.postMessage({ ...message, from: this.#options.tabId });
  }

  #whatIWant() {
    const { importance } = this.#options;
    const sessions = this.#mine.entries().map(([id, cursor]) => [id, cursor, importance(id)]);
    return { visible: this.#isVisible, sessions: /** @type {any[]} */ (sessions) };
  }

  /** @param {string|null} fresh a session to catch up even if it was watched before, or "all" */
  #sayWhat(fresh = null) {
    if (!this.#isOpen || this.#isFrozen) return;
    if (this.#audience) this.#audience.want(this.#options.tabId, this.#whatIWant(), fresh);
    else this.#say({ t: "want", want: this.#whatIWant(), fresh });
  }

  /** A session without a snapshot may have been asked for over a connection that broke. */
  #askForMissing() {
    for (const [sessionId, cursor] of this.#mine.entries())
      if (cursor === null) this.#sayWhat(sessionId);
  }

  #hear(message) {
    if (this.#isFrozen) return;
    const { t } = message;
    if (this.#inner && this.#audience) this.#hearAsLeader(this.#inner, this.#audience, message);
    else if (t === "lead") {
      this.#setStatus({ state: "connecting", connectionId: null });
      this.#sayWhat();
      this.#listen();
    } else if (t === "roll") this.#sayWhat();
    else if (t === "status" || t === "frame") {
      this.#listen();
      if (t === "status") this.#leaderStatus(message);
      else this.#take(message.frame);
    }
  }

  /** @param {Stream} inner @param {Audience} audience @param {any} message */
  #hearAsLeader(inner, audience, message) {
    const { t, from, want, fresh, reason, connectionId, sessionId, cursor } = message;
    if (t === "want") {
      audience.want(from, want, fresh);
      this.#say({ t: "status", status: this.#status, hidden: !this.#isVisible });
    } else if (t === "bye") audience.forget(from);
    else if (t === "wake") inner.wake(reason);
    else if (t === "forget") inner.forget(connectionId);
    else if (t === "repair") inner.repair(sessionId, cursor);
  }

  /** A hidden tab's timers may sleep for a minute: one in front makes its next try, when that is due. */
  #leaderStatus({ status, hidden }) {
    const { clock } = this.#options;
    clock.clearTimeout(this.#question);
    clock.clearTimeout(this.#overdue);
    this.#question = null;
    const isNewLine = status.connectionId !== null && status.connectionId !== this.connectionId;
    this.#setStatus(status);
    if (isNewLine) this.#askForMissing();
    if (hidden && status.state === "waiting")
      this.#overdue = clock.setTimeout(
        () => this.#takeOver(),
        status.retryAt - clock.now() + OVERDUE_MS,
      );
  }

  #listen() {
    const { clock, heartbeatMs } = this.#options;
    clock.clearTimeout(this.#silence);
    this.#silence = clock.setTimeout(
      () => (this.#isVisible ? this.#askLeader() : this.#listen()),
      SILENT_BEATS * heartbeatMs,
    );
  }

  #askLeader() {
    if (this.#question || this.#inner || !this.#isOpen) return;
    this.#sayWhat("all"); // a leader that lives answers with its status
    this.#question = this.#options.clock.setTimeout(() => {
      this.#question = null;
      this.#takeOver();
    }, ANSWER_MS);
  }

  /** The leader has not moved when it should have. */
  #takeOver() {
    if (!this.#inner && this.#isOpen && !this.#isFrozen && this.#isVisible)
      this.#queueForLead(true);
  }

  // -- this tab's own sessions ------------------------------------------------------------------

  #take(frame) {
    const verdict = this.#mine.accept(frame);
    if (verdict === "gap") this.#report(frame.sessionId);
    if (verdict !== "deliver") return;
    if (frame.type === "watch_rejected") this.#mine.untrack(frame.sessionId);
    this.#options.onFrame(frame);
  }

  #report(sessionId) {
    const now = this.#options.clock.now();
    if (now - (this.#reported.get(sessionId) ?? -Infinity) < REPAIR_PAUSE_MS) return;
    this.#reported.set(sessionId, now);
    const cursor = this.#mine.get(sessionId) ?? 0;
    if (this.#inner) this.#inner.repair(sessionId, cursor);
    else this.#say({ t: "repair", sessionId, cursor });
  }

  #setStatus(change) {
    this.#status = { ...this.#status, ...change };
    this.#options.onStatus(this.#status);
  }
}
