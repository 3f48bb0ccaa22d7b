/**
 * The outbox: prompts that the server has not acknowledged, in order, never lost in silence.
 *
 * One POST in flight; the head of the queue is repeated, with the same body and clientMsgId, until there is
 * a receipt or a final refusal (docs/reference/clients.md). Kept in the tab's sessionStorage under the
 * user's id: a reload continues it, and another log-in never sends it. Knows no DOM.
 *
 * A prompt's state here: queued → sending → accepted (receipt, until the log shows it) or failed | evicted,
 * both shown with a retry. A duplicated tab may send a prompt twice: the server admits it once by its id.
 */

import { backoffMs, systemClock } from "./clock.js";
import { isForeign } from "./commands.js";
import { randomId } from "./ids.js";
import { keep, keptJson } from "./storage.js";

/** After an unknown connection the new stream is waited for, but not for ever: a prompt may go without one. */
const RECONNECT_WAIT_MS = 30_000;
const RETRYABLE = new Set([408, 425, 429]);
/** The refusals that another try of this page would meet again. */
const CREDENTIALS = new Set(["csrf_failed", "origin_refused"]);
const PENDING = new Set(["queued", "sending"]);

/**
 * @typedef {{clientMsgId: string, order: number, sessionId: string|null, draftId: string|null, text: string,
 *   agent: string|null, mode: string|null, cwd: string|null, createdAt: number, tried: boolean, attempted: boolean,
 *   state: "queued"|"sending"|"accepted"|"failed"|"evicted", code: string|null, error: string|null,
 *   seq: number|null, seen: boolean}} Entry tried: a POST of it has ended without a receipt; attempted: such a
 *   POST may be in the log all the same, so the body is frozen; seen: the log showed it while its POST was under way
 * @typedef {{waiting: null|"retry"|"connection"|"login", retryAt: number|null, persistent: boolean}} OutboxStatus
 */

export class Outbox {
  #options;
  /** @type {Entry[]} ascending by order */
  #entries = [];
  /** @type {Record<string, string>} draft → the session that its first prompt made */
  #drafts = {};
  #nextOrder = 1;
  #attempt = 0;
  #timer = null;
  #staleConnection = null;
  /** @type {Set<string>} the prompts of the copy in the storage */
  #stored = new Set();
  /** @type {OutboxStatus} */
  #status = { waiting: null, retryAt: null, persistent: true };

  /**
   * @param {{command: ReturnType<typeof import("./commands.js").createCommands>, connectionId: () => string|null,
   *   userId: string|number, maxPending: number, storage?: Storage|null, clock?: import("./clock.js").Clock,
   *   random?: () => number, newId?: () => string, onChange?: () => void,
   *   onReceipt?: (receipt: any, entry: Entry) => void, onUnknownConnection?: (id: string) => void,
   *   }} options
   */
  constructor(options) {
    this.#options = {
      storage: null,
      clock: systemClock,
      random: Math.random,
      newId: randomId,
      onChange: () => {},
      onReceipt: () => {},
      onUnknownConnection: () => {},
      ...options,
    };
    this.#restore();
  }

  /** Everything that is not yet in the log as far as this tab knows, oldest first. @returns {readonly Entry[]} */
  get entries() {
    return this.#entries;
  }

  get status() {
    return this.#status;
  }

  get pending() {
    return this.#entries.filter((entry) => PENDING.has(entry.state)).length;
  }

  /** The session of a draft, once its first prompt is accepted. @returns {string|null} */
  sessionOf(draftId) {
    return this.#drafts[draftId] ?? null;
  }

  /** Begins to send the prompts that an earlier page of this tab left. */
  start() {
    this.#pump();
  }

  /**
   * @param {{sessionId?: string|null, draftId?: string|null, text: string, agent?: string|null,
   *   mode?: string|null, cwd?: string|null}} prompt sessionId null: a new chat; draftId ties its prompts together
   * @returns {string} clientMsgId
   */
  send({ sessionId = null, draftId = null, text, agent = null, mode = null, cwd = null }) {
    const clientMsgId = this.#options.newId();
    this.#insert({
      clientMsgId,
      order: this.#nextOrder++,
      sessionId: sessionId ?? this.sessionOf(draftId),
      draftId,
      text,
      agent,
      mode,
      cwd,
      createdAt: this.#options.clock.now(),
      tried: false,
      attempted: false,
      state: "queued",
      code: null,
      error: null,
      seq: null,
      seen: false,
    });
    return clientMsgId;
  }

  /**
   * Puts a failed or evicted prompt back in its old place, before younger ones; the cap holds here too.
   * @param {string} clientMsgId
   * @param {{agent?: string|null, mode?: string|null, cwd?: string|null}} choice of a new chat
   */
  retry(clientMsgId, choice = {}) {
    const entry = this.#find(clientMsgId);
    if (!entry || PENDING.has(entry.state) || entry.state === "accepted") return;
    this.#remove(entry);
    // An id that another prompt has used can never be admitted: this one is a new prompt.
    const fresh =
      entry.code === "fingerprint_conflict"
        ? { clientMsgId: this.#options.newId(), attempted: false }
        : {};
    const next = { ...entry, ...fresh, state: "queued", code: null, error: null };
    this.#insert(
      next.attempted
        ? next
        : { ...next, ...choice, sessionId: next.sessionId ?? this.sessionOf(next.draftId) },
    );
  }

  /** The person gives a prompt up. One whose POST is under way cannot be taken back. */
  discard(clientMsgId) {
    const entry = this.#find(clientMsgId);
    if (!entry || entry.state === "sending") return;
    const wasWaitedFor = entry === this.#head;
    this.#remove(entry);
    this.#changed();
    if (!wasWaitedFor) return;
    this.#attempt = 0; // the delay was for this prompt: the next one has met nothing yet
    this.resume();
    this.#pump();
  }

  /** The log shows this prompt: whatever became of its receipt, it has arrived. */
  confirm(clientMsgId, sessionId) {
    const entry = this.#find(clientMsgId);
    if (!entry) return;
    this.#adopt(entry, sessionId);
    if (entry.state === "sending") {
      this.#set(entry, { seen: true }); // one POST in flight: its end is waited for
      return;
    }
    this.#arrived(entry, sessionId);
  }

  /** Nothing more goes out until `loggedIn`: the page has learnt that another person is logged in. */
  hold() {
    this.#wait("login", null);
  }

  /** Try now: the network is back or a new stream is up. Does not shorten a Retry-After nor a wait for login. */
  resume() {
    if (this.#status.waiting === "retry" && !this.#held) this.#go();
  }

  /** @param {string|null} connectionId the id of the stream that is live now */
  connectionChanged(connectionId) {
    if (!connectionId) return;
    if (this.#status.waiting === "connection" && connectionId !== this.#staleConnection) this.#go();
    else this.resume();
  }

  /** The same person is logged in again. */
  loggedIn() {
    if (this.#status.waiting === "login") this.#go();
  }

  // -- the queue --------------------------------------------------------------------------------

  #held = false; // the wait was ordered by Retry-After

  /** The prompt that is sent next. */
  get #head() {
    return this.#entries.find((entry) => entry.state === "queued") ?? null;
  }

  /** @param {string} clientMsgId @returns {any} the entry, null when it has gone */
  #find(clientMsgId) {
    return this.#entries.find((entry) => entry.clientMsgId === clientMsgId) ?? null;
  }

  /** The one way in, for new and re-queued prompts alike. */
  #insert(entry) {
    const at = this.#entries.findIndex((other) => other.order > entry.order);
    this.#entries =
      at < 0
        ? [...this.#entries, entry]
        : [...this.#entries.slice(0, at), entry, ...this.#entries.slice(at)];
    this.#enforceCap();
    this.#changed();
    this.#pump();
  }

  /** The oldest goes, but for the one whose POST is under way: it may have been sent. */
  #enforceCap() {
    let over = this.pending - this.#options.maxPending;
    for (const entry of this.#entries) {
      if (over <= 0) return;
      if (entry.state !== "queued") continue;
      const doubt = entry.attempted ? " An earlier try may have reached the server." : "";
      this.#set(entry, {
        state: "evicted",
        code: "outbox_full",
        error: `More than ${this.#options.maxPending} prompts were waiting.${doubt}`,
      });
      over -= 1;
    }
  }

  #remove(entry) {
    this.#entries = this.#entries.filter((other) => other.clientMsgId !== entry.clientMsgId);
  }

  #set(entry, change) {
    const next = { ...this.#find(entry.clientMsgId), ...change };
    this.#entries = this.#entries.map((other) =>
      other.clientMsgId === entry.clientMsgId ? next : other,
    );
    return next;
  }

  /** A draft has its session: prompts behind the first go there, unless an earlier try froze their body. */
  #adopt(entry, sessionId) {
    if (!entry.draftId || this.#drafts[entry.draftId]) return;
    this.#drafts[entry.draftId] = sessionId;
    this.#entries = this.#entries.map((other) =>
      other.draftId === entry.draftId && !other.sessionId && !other.attempted
        ? { ...other, sessionId }
        : other,
    );
  }

  #pump() {
    if (this.#status.waiting || this.#entries.some((entry) => entry.state === "sending")) return;
    if (this.#head) this.#post(this.#head);
  }

  #go() {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = null;
    this.#held = false;
    this.#status = { ...this.#status, waiting: null, retryAt: null };
    this.#changed();
    this.#pump();
  }

  // -- one POST ---------------------------------------------------------------------------------

  async #post(head) {
    const entry = this.#set(head, { state: "sending" });
    const connectionId = this.#options.connectionId();
    this.#changed();
    try {
      const answer = await this.#options.command("send", bodyOf(entry), connectionId);
      this.#settle(this.#find(entry.clientMsgId), answer, connectionId);
    } catch {
      const now = this.#find(entry.clientMsgId);
      if (now.seen) this.#arrived(now, now.sessionId ?? this.sessionOf(now.draftId));
      else this.#again(now, { attempted: true }); // network error or deadline: it may have arrived
    }
  }

  #settle(entry, answer, connectionId) {
    const { status, body, retryAfterMs } = answer;
    if (isReceipt(status, body, entry)) return this.#accepted(entry, body);
    if (entry.seen) return this.#arrived(entry, entry.sessionId ?? this.sessionOf(entry.draftId));
    const unknown = status === 404 && body?.code === "unknown_connection";
    if (unknown) return this.#awaitConnection(entry, connectionId);
    if (isForeign(answer)) return this.#again(entry, {}, retryAfterMs); // it was stopped on its way
    if (status === 401 || (status === 403 && CREDENTIALS.has(body?.code)))
      return this.#awaitLogin(entry);
    if (RETRYABLE.has(status) || status >= 500 || status < 400) {
      // A refusal says that nothing was stored; a broken gateway or a strange 2xx does not.
      return this.#again(
        entry,
        { attempted: entry.attempted || !RETRYABLE.has(status) || status === 408 },
        retryAfterMs,
      );
    }
    return this.#refused(entry, status, body);
  }

  #accepted(entry, receipt) {
    this.#attempt = 0;
    this.#adopt(entry, receipt.sessionId);
    const done = this.#set(entry, {
      state: "accepted",
      sessionId: receipt.sessionId,
      seq: receipt.seq,
      code: null,
      error: null,
    });
    if (done.seen) this.#remove(done);
    this.#options.onReceipt(receipt, done);
    this.#changed();
    this.#pump();
  }

  /** The log has shown it: as good as a receipt. */
  #arrived(entry, sessionId) {
    this.#attempt = 0;
    this.#remove(entry);
    this.#options.onReceipt(
      {
        ok: true,
        accepted: true,
        clientMsgId: entry.clientMsgId,
        sessionId,
        seq: entry.seq,
        duplicate: false,
      },
      entry,
    );
    this.#changed();
    if (this.#status.waiting === "retry" && !this.#held) this.#go();
    else this.#pump();
  }

  #refused(entry, status, body) {
    this.#attempt = 0;
    this.#set(entry, {
      state: "failed",
      code: body?.code ?? `status_${status}`,
      error: body?.error ?? `The server refused it (status ${status}).`,
    });
    this.#changed();
    this.#pump();
  }

  /** Back to the head of the queue: its order is its place. */
  #putBack(entry, change = {}) {
    this.#set(entry, { ...change, state: "queued", tried: true });
  }

  #again(entry, change, atLeastMs = 0) {
    const wait = Math.max(backoffMs(this.#attempt, this.#options.random), atLeastMs);
    this.#attempt += 1;
    this.#held = atLeastMs > 0;
    this.#putBack(entry, change);
    this.#wait("retry", wait);
  }

  #awaitConnection(entry, connectionId) {
    this.#staleConnection = connectionId;
    this.#putBack(entry);
    this.#wait("connection", RECONNECT_WAIT_MS);
    this.#options.onUnknownConnection(connectionId);
    const now = this.#options.connectionId();
    if (now && now !== connectionId) this.#go(); // the stream was replaced while the POST was on its way
  }

  #awaitLogin(entry) {
    this.#putBack(entry);
    this.#wait("login", null);
  }

  #wait(why, ms) {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = ms === null ? null : this.#options.clock.setTimeout(() => this.#go(), ms);
    this.#status = {
      ...this.#status,
      waiting: why,
      retryAt: ms === null ? null : this.#options.clock.now() + ms,
    };
    this.#enforceCap();
    this.#changed();
  }

  // -- persistence ------------------------------------------------------------------------------

  get #key() {
    return `backstay.outbox.${this.#options.userId}`;
  }

  #changed() {
    this.#persist();
    this.#options.onChange();
  }

  /**
   * Of prompts that do not all fit, those that were stored stay so. A discarded one is never among them: every copy is
   * written from the present entries, and where nothing can be written, no copy is left.
   */
  #persist() {
    const entries = this.#entries.filter((entry) => entry.state !== "accepted");
    const stored = entries.filter(({ clientMsgId }) => this.#stored.has(clientMsgId));
    const isWhole = this.#write(entries);
    if (!isWhole) this.#write(stored);
    this.#status = { ...this.#status, persistent: isWhole }; // storage full or forbidden: the page says so
  }

  /** @param {readonly Entry[]} entries @returns {boolean} whether the storage holds them */
  #write(entries) {
    const drafts = Object.fromEntries(Object.entries(this.#drafts).slice(-50));
    const isEmpty = !entries.length && !Object.keys(drafts).length;
    const copy = { v: 1, nextOrder: this.#nextOrder, entries, drafts };
    const isStored = keep(this.#options.storage, this.#key, isEmpty ? null : JSON.stringify(copy));
    this.#stored = new Set(isStored ? entries.map(({ clientMsgId }) => clientMsgId) : []);
    return isStored;
  }

  #restore() {
    const copy = keptJson(this.#options.storage, this.#key);
    if (copy?.v !== 1) return;
    this.#nextOrder = copy.nextOrder;
    this.#drafts = copy.drafts ?? {};
    this.#stored = new Set(copy.entries.map((/** @type {Entry} */ { clientMsgId }) => clientMsgId));
    // A POST that the last page had under way may have arrived.
    this.#entries = copy.entries.map((/** @type {Entry} */ entry) =>
      entry.state === "sending"
        ? { ...entry, state: "queued", tried: true, attempted: true }
        : entry,
    );
    this.#enforceCap();
  }
}

function bodyOf({ clientMsgId, sessionId, text, agent, mode, cwd }) {
  const body = { clientMsgId, sessionId, text };
  if (sessionId) return body;
  if (agent) body.agent = agent;
  if (mode) body.mode = mode;
  if (cwd) body.cwd = cwd;
  return body;
}

function isReceipt(status, body, entry) {
  return (
    status >= 200 &&
    status < 300 &&
    body?.ok === true &&
    body.accepted === true &&
    body.clientMsgId === entry.clientMsgId &&
    typeof body.sessionId === "string" &&
    Number.isInteger(body.seq)
  );
}
