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

import { systemClock } from "../clock.js";
import { randomId } from "../browser/ids.js";
import { Follower } from "./follower.js";
import { Leader } from "./leader.js";
import { LeaderLock } from "./leader-lock.js";
import { Tab } from "./tab.js";

/**
 * @typedef {import("../stream.js").Stream} Stream
 * @typedef {import("../stream.js").StreamStatus} StreamStatus
 */

export class SharedStream {
  #options;
  #tab;
  /** @type {Leader|Follower|null} null while this tab is closed or frozen */
  #role = null;
  /** @type {LeaderLock|null} null: every tab leads alone */
  #lock = null;
  #isOpen = false;
  #isFrozen = false;

  /**
   * @param {{makeStream: (options: {onRaw: (frame: any) => void, onFrame: (frame: any) => void,
   *   onStatus: (status: StreamStatus) => void}) => Stream, onFrame: (frame: any) => void,
   *   onStatus?: (status: StreamStatus) => void, name: string, heartbeatMs: number, locks?: Pick<LockManager, "request">|null,
   *   makeChannel?: ((name: string) => BroadcastChannel)|null, beacon?: ((body: any) => boolean)|null,
   *   clock?: import("../clock.js").Clock, tabId?: string, maxWatches?: number,
   *   importance?: (sessionId: string) => number}} options
   *   name: one per login; beacon: sends a suspend that must leave before the page is frozen;
   *   maxWatches: sessions of all tabs; over it, those of the least importance are evicted
   */
  constructor({
    onFrame,
    onStatus = () => {},
    clock = systemClock,
    tabId = randomId(),
    importance = () => 0,
    ...options
  }) {
    this.#options = {
      ...{ locks: null, makeChannel: null, beacon: null, maxWatches: Infinity },
      ...options,
    };
    this.#tab = new Tab({ id: tabId, clock, onFrame, onStatus, importance });
  }

  get status() {
    return this.#tab.status;
  }

  get connectionId() {
    return this.#tab.status.connectionId;
  }

  get leads() {
    return this.#role instanceof Leader;
  }

  watches(sessionId) {
    return this.#tab.cursors.has(sessionId);
  }

  cursor(sessionId) {
    return this.#tab.cursors.get(sessionId);
  }

  /** The connection that has brought a session up to its head; null while that is under way. @param {string} sessionId */
  caughtUpBy(sessionId) {
    return this.#tab.caughtUpBy(sessionId);
  }

  open() {
    if (this.#isOpen) return;
    this.#isOpen = true;
    const { locks, makeChannel, name } = this.#options;
    if (locks && makeChannel) {
      this.#tab.channel ??= makeChannel(name);
      this.#tab.channel.onmessage = ({ data }) => this.#role?.hear(data);
      this.#lock = new LeaderLock({
        locks,
        name: `${name}.leader`,
        onHeld: () => this.#lead(),
        onStolen: () => this.#join(),
      });
    }
    this.#join();
  }

  /** Ends this tab's part; the stream itself too when it leads. */
  close() {
    if (!this.#isOpen) return;
    this.#tab.say({ t: "bye" });
    this.#leave();
    this.#isOpen = false;
    if (this.#tab.channel) this.#tab.channel.onmessage = null;
    this.#tab.setStatus({ state: "closed", connectionId: null });
  }

  /** @param {string} sessionId @param {number|null} [cursor] */
  watch(sessionId, cursor = null) {
    this.#tab.forgetCatchUp(sessionId);
    this.#tab.cursors.track(sessionId, cursor);
    this.#role?.want(sessionId);
  }

  unwatch(sessionId) {
    this.#tab.forgetCatchUp(sessionId);
    this.#tab.cursors.untrack(sessionId);
    this.#role?.want();
  }

  /** @param {"online"|"foreground"|"offline"|"login"|"asked"} reason */
  wake(reason) {
    this.#role?.wake(reason);
  }

  forget(connectionId) {
    this.#role?.forget(connectionId);
  }

  /** Whether a person can see this tab. @param {boolean} isVisible */
  see(isVisible) {
    if (isVisible === this.#tab.isVisible) return;
    this.#tab.isVisible = isVisible;
    this.#role?.want();
  }

  /** The browser is about to freeze this page: another tab must be able to lead. */
  freeze() {
    this.#isFrozen = true;
    this.#leave();
  }

  thaw() {
    if (!this.#isFrozen) return;
    this.#isFrozen = false;
    if (this.#isOpen) this.#join("all");
  }

  // -- the role of this tab ---------------------------------------------------------------------

  /** Lives on another tab's stream until the lock is free. @param {string|null} fresh */
  #join(fresh = null) {
    if (!this.#lock) {
      this.#lead();
      return;
    }
    this.#lock.queue();
    const { heartbeatMs } = this.#options;
    const takeOver = () => this.#lock?.queue({ steal: true });
    this.#become(new Follower(this.#tab, { heartbeatMs, takeOver }));
    this.#role?.want(fresh);
  }

  #lead() {
    this.#become(new Leader(this.#tab, this.#options));
  }

  #leave() {
    this.#lock?.leave();
    this.#become(null);
  }

  /** @param {Leader|Follower|null} role */
  #become(role) {
    const before = this.#role;
    this.#role = role;
    before?.end();
    role?.start();
  }
}
