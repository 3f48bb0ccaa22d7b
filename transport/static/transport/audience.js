/**
 * Whom the tab that leads holds the stream for: what every tab watches, and whether anybody looks.
 *
 * The stream watches what any tab watches; a session is in the background when every tab that shows it is.
 */

/**
 * @typedef {import("./stream.js").Stream} Stream
 * @typedef {{visible: boolean, sessions: Map<string, number|null>, heardAt: number}} Want what a tab watches, and
 *   whether anybody sees it
 */

export class Audience {
  #stream;
  #beacon;
  #clock;
  /** @type {Map<string, Want>} by tab */
  #wants = new Map();
  /** @type {Set<string>} sessions that nobody looks at */
  #suspended = new Set();
  /** @type {Set<string>} sessions whose snapshot a tab waits for */
  #snapshotDue = new Set();

  /**
   * @param {{stream: Stream, clock: import("./clock.js").Clock, beacon: ((body: any) => boolean)|null}} options
   *   beacon: sends a suspend that must leave before the page is frozen
   */
  constructor({ stream, clock, beacon }) {
    this.#stream = stream;
    this.#clock = clock;
    this.#beacon = beacon;
  }

  /**
   * What a tab watches from now on.
   * @param {string} tab @param {{visible: boolean, sessions: [string, number|null][]}} wanted
   * @param {string|null} fresh what is to be caught up even if it was watched before: a session, or "all"
   */
  want(tab, { visible, sessions }, fresh = null) {
    const before = this.#wants.get(tab)?.sessions ?? new Map();
    const now = new Map(sessions);
    this.#wants.set(tab, { visible, sessions: now, heardAt: this.#clock.now() });
    for (const [sessionId, cursor] of now) {
      if (!before.has(sessionId) || fresh === sessionId || fresh === "all")
        this.#serve(sessionId, cursor);
    }
    this.#dropUnwanted(before.keys());
    this.#presence();
  }

  /** The stream is live on a new connection: what waited for it goes out. */
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

  /** A frozen tab is nobody's: it asks again when it thaws. @param {number} since @param {string} own the leader itself */
  forgetSilent(since, own) {
    for (const [tab, { heardAt }] of [...this.#wants])
      if (tab !== own && heardAt < since) this.forget(tab);
  }

  /** Brings a tab to where the stream is: by its snapshot, by a replay, or by what comes anyway. */
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
      if (!isWanted) this.#stream.unwatch(sessionId);
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
