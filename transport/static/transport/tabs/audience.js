/**
 * The tabs that share the stream of the leading tab: the sessions of each, and whether it is in sight.
 *
 * The stream watches what any tab watches, as far as the server's limit goes; a session is in the background when
 * every tab that shows it is.
 */

/**
 * @typedef {import("../stream.js").Stream} Stream
 * @typedef {[sessionId: string, cursor: number|null, importance?: number]} Watched
 * @typedef {{visible: boolean, sessions: Map<string, number|null>, importance: Map<string, number>,
 *   heardAt: number}} Want the sessions of a tab, and whether the tab is in sight
 */

/** Of two tabs that show a chat, the one in sight goes first. */
const IN_SIGHT = 0.5;

export class Audience {
  #stream;
  #beacon;
  #clock;
  /** @type {Map<string, Want>} by tab */
  #wants = new Map();
  /** @type {Set<string>} sessions whose tabs are all out of sight */
  #suspended = new Set();
  /** @type {Set<string>} sessions whose snapshot a tab waits for */
  #snapshotDue = new Set();
  #maxWatches;
  #onEvicted;

  /**
   * @param {{stream: Stream, clock: import("../clock.js").Clock, beacon: ((body: any) => boolean)|null,
   *   maxWatches?: number, onEvicted?: (sessionId: string) => void}} options
   *   beacon: sends a suspend that must leave before the page is frozen;
   *   onEvicted: a session that is not watched any more, because more important ones are
   */
  constructor({ stream, clock, beacon, maxWatches = Infinity, onEvicted = () => {} }) {
    this.#stream = stream;
    this.#maxWatches = maxWatches;
    this.#onEvicted = onEvicted;
    this.#clock = clock;
    this.#beacon = beacon;
  }

  /**
   * Sets the sessions that a tab watches from now on.
   * @param {string} tab @param {{visible: boolean, sessions: Watched[]}} wanted
   * @param {string|null} fresh a session to catch up even if it was watched before, or "all"
   */
  want(tab, { visible, sessions }, fresh = null) {
    const before = this.#wants.get(tab)?.sessions ?? new Map();
    const now = new Map(sessions.map(([sessionId, cursor]) => [sessionId, cursor]));
    const importance = new Map(sessions.map(([sessionId, , weight = 0]) => [sessionId, weight]));
    this.#wants.delete(tab); // of equals, the one wanted last stays
    this.#wants.set(tab, { visible, sessions: now, importance, heardAt: this.#clock.now() });
    const evicted = this.#makeRoom();
    for (const [sessionId, cursor] of now) {
      if (!before.has(sessionId) || fresh === sessionId || fresh === "all")
        this.#serve(sessionId, cursor);
    }
    this.#dropUnwanted(before.keys());
    this.#presence();
    evicted.forEach((sessionId) => this.#onEvicted(sessionId));
  }

  /** The stream is live on a new connection: requests that waited for it go out. */
  wentLive() {
    for (const sessionId of this.#snapshotDue) this.#stream.again(sessionId);
    this.#snapshotDue.clear();
    this.#suspended.clear();
    this.#presence();
  }

  /** @param {string} tab one that is closed */
  forget(tab) {
    const gone = this.#wants.get(tab);
    if (!gone) return;
    this.#wants.delete(tab);
    this.#dropUnwanted(gone.sessions.keys());
    this.#presence();
  }

  /** Forgets tabs that are frozen: each asks again when it thaws. @param {number} since @param {string} own the leader itself */
  forgetSilent(since, own) {
    for (const [tab, { heardAt }] of [...this.#wants])
      if (tab !== own && heardAt < since) this.forget(tab);
  }

  /** Gives up the least important sessions over the limit. @returns {string[]} their ids */
  #makeRoom() {
    const ranks = this.#ranks();
    const over = ranks.size - this.#maxWatches;
    if (over <= 0) return [];
    const evicted = [...ranks].sort(([, a], [, b]) => a - b).slice(0, over);
    const ids = evicted.map(([sessionId]) => sessionId);
    for (const { sessions } of this.#wants.values()) ids.forEach((id) => sessions.delete(id));
    this.#dropUnwanted(ids);
    return ids;
  }

  /** @returns {Map<string, number>} every session that is wanted, with its importance to any tab */
  #ranks() {
    const ranks = new Map();
    for (const { visible, sessions, importance } of this.#wants.values()) {
      for (const id of sessions.keys()) {
        const rank = (importance.get(id) ?? 0) + (visible ? IN_SIGHT : 0);
        ranks.set(id, Math.max(rank, ranks.get(id) ?? 0));
      }
    }
    return ranks;
  }

  /** Brings a tab to where the stream is: by its snapshot, by a replay, or by the frames that come anyway. */
  #serve(sessionId, cursor) {
    const stream = this.#stream;
    if (!stream.watches(sessionId)) {
      stream.watch(sessionId, cursor);
      return;
    }
    const at = stream.cursor(sessionId) ?? null;
    const isLive = stream.connectionId !== null;
    if (cursor === null && at !== null) {
      if (isLive) stream.again(sessionId);
      else this.#snapshotDue.add(sessionId);
    } else if (cursor !== null && at !== null && cursor < at && isLive)
      stream.repair(sessionId, cursor);
    else if (cursor !== null && !isLive) {
      if (at === null) this.#snapshotDue.add(sessionId);
      stream.lower(sessionId, cursor);
    }
  }

  #dropUnwanted(sessionIds) {
    for (const sessionId of sessionIds) {
      const isWanted = [...this.#wants.values()].some(({ sessions }) => sessions.has(sessionId));
      if (!isWanted && this.#stream.watches(sessionId)) this.#stream.unwatch(sessionId);
    }
  }

  #presence() {
    const stream = this.#stream;
    if (!stream.connectionId) return;
    const seen = new Set();
    const hidden = new Set();
    for (const { visible, sessions } of this.#wants.values())
      for (const id of sessions.keys()) (visible ? seen : hidden).add(id);
    const gone = [...hidden].filter((id) => !seen.has(id) && !this.#suspended.has(id));
    const back = [...this.#suspended].filter((id) => seen.has(id));
    this.#suspended = new Set([...hidden].filter((id) => !seen.has(id)));
    const place = (sessionId) => ({ sessionId, cursor: stream.cursor(sessionId) ?? null });
    if (gone.length) this.#suspend(gone.map(place));
    if (back.length) stream.tell("resume", { sessions: back.map(place) });
  }

  /** A beacon leaves even when the page is frozen the next moment. */
  #suspend(sessions) {
    const { connectionId } = this.#stream;
    if (!this.#beacon?.({ connectionId, sessions })) this.#stream.tell("suspend", { sessions });
  }
}
