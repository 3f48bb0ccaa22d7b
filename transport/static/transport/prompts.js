/** Prompts on their way to the server, in order, and the tab's storage that keeps them. */

import { keep, keptJson } from "./browser/storage.js";

const PENDING = new Set(["queued", "sending"]);
/** So many drafts with their sessions are kept. */
const KEPT_DRAFTS = 50;

/**
 * @typedef {{clientMsgId: string, order: number, sessionId: string|null, draftId: string|null, text: string,
 *   attachments?: import("./uploads.js").Attachment[], mentions?: string[],
 *   agent: string|null, mode: string|null, cwd: string|null, projectId?: string|null, worktree?: object|null, options?: object|null, createdAt: number, tried: boolean, attempted: boolean,
 *   unanswered: boolean, unwanted?: boolean, stops?: string|null,
 *   state: "queued"|"sending"|"accepted"|"failed"|"evicted", code: string|null, error: string|null,
 *   seq: number|null, seen: boolean}} Prompt draftId ties those of a new session together: later ones go where the
 *   first went; tried: a POST of it has ended without a receipt; attempted: such a POST may be in the log all the
 *   same, so the body is frozen; unanswered: its last POST had no answer in time;
 *   unwanted: discarded while its POST was under way, whose end decides;
 *   seen: the log showed it while its POST was under way; stops: the turn that it stops once it is there, "" for the one
 *   that runs by then, null for a prompt that waits its turn
 * @typedef {{prompts: Prompt[], drafts: Record<string, string>, nextOrder: number}} Kept drafts: the session that the
 *   first prompt of each has made
 */

/** Whether a prompt is still to be sent. @param {Prompt} prompt */
export function isPending({ state }) {
  return PENDING.has(state);
}

/** The body of a prompt's POST. @param {Prompt} prompt */
export function bodyOf({ clientMsgId, sessionId, text, ...choice }) {
  const { attachments = [], mentions = [] } = choice;
  const files = attachments.map(({ blob, name }) => ({ blob, name }));
  const body = {
    ...{ clientMsgId, sessionId, text },
    ...(files.length && { attachments: files }),
    ...(mentions.length && { mentions }),
  };
  if (sessionId) return body;
  const { agent, mode, cwd, projectId, worktree, options } = choice;
  const wishes = Object.entries({ agent, mode, cwd, projectId, worktree, options }).filter(
    ([, wish]) => wish,
  );
  return { ...body, ...Object.fromEntries(wishes) };
}

/** The prompts of one sender, ordered by when they were written; a cap holds on every way in. */
export class Queue {
  /** @type {Prompt[]} */
  #prompts;
  #drafts;
  #nextOrder;
  #kept;
  #maxPending;
  #onChange;

  /** @param {{maxPending: number, kept: KeptPrompts, onChange: () => void}} options */
  constructor({ maxPending, kept, onChange }) {
    this.#maxPending = maxPending;
    this.#onChange = onChange;
    this.#kept = kept;
    const { prompts, drafts, nextOrder } = kept.read();
    this.#prompts = prompts;
    this.#drafts = drafts;
    this.#nextOrder = nextOrder;
    this.enforceCap();
  }

  /** @returns {readonly Prompt[]} oldest first */
  get prompts() {
    return this.#prompts;
  }

  /** Those that are still to be sent, oldest first. */
  get pending() {
    return this.#prompts.filter(isPending);
  }

  /** The prompt that is sent next. */
  get head() {
    return this.#prompts.find(({ state }) => state === "queued") ?? null;
  }

  /** @param {string} clientMsgId @returns {any} null when it has gone */
  find(clientMsgId) {
    return this.#prompts.find((prompt) => prompt.clientMsgId === clientMsgId) ?? null;
  }

  /** The session of a draft, once its first prompt is accepted. @returns {string|null} */
  sessionOf(draftId) {
    return this.#drafts[draftId] ?? null;
  }

  /** @param {Pick<Prompt, "clientMsgId"|"createdAt"|"sessionId"|"draftId"|"text"|"attachments"|"mentions"|"agent"|"mode"|"cwd"|"projectId"|"worktree"|"options"|"stops">} wish */
  add(wish) {
    this.insert({
      ...wish,
      sessionId: wish.sessionId ?? this.sessionOf(wish.draftId),
      order: this.#nextOrder++,
      tried: false,
      attempted: false,
      unanswered: false,
      state: "queued",
      code: null,
      error: null,
      seq: null,
      seen: false,
    });
  }

  /** The one way in, for new prompts and for those that are put back. @param {Prompt} prompt */
  insert(prompt) {
    const at = this.#prompts.findIndex((other) => other.order > prompt.order);
    this.#prompts = this.#prompts.toSpliced(at < 0 ? this.#prompts.length : at, 0, prompt);
    this.enforceCap();
    this.changed();
  }

  remove({ clientMsgId }) {
    this.#prompts = this.#prompts.filter((other) => other.clientMsgId !== clientMsgId);
  }

  /** @param {Prompt} prompt @param {Partial<Prompt>} change @returns {Prompt} */
  set({ clientMsgId }, change) {
    const next = { ...this.find(clientMsgId), ...change };
    this.#prompts = this.#prompts.map((other) =>
      other.clientMsgId === clientMsgId ? next : other,
    );
    return next;
  }

  /** The oldest is evicted, but for the one whose POST is under way: it may have been sent. */
  enforceCap() {
    const over = Math.max(0, this.pending.length - this.#maxPending);
    const evicted = this.#prompts.filter(({ state }) => state === "queued").slice(0, over);
    for (const prompt of evicted) {
      const doubt = prompt.attempted ? " An earlier try may have reached the server." : "";
      const error = `More than ${this.#maxPending} prompts were waiting.${doubt}`;
      this.set(prompt, { state: "evicted", code: "outbox_full", error });
    }
  }

  /** A draft has its session: prompts behind the first go there, unless an earlier try froze their body. */
  adopt({ draftId }, sessionId) {
    if (!draftId || this.#drafts[draftId]) return;
    this.#drafts[draftId] = sessionId;
    const joins = (other) => other.draftId === draftId && !other.sessionId && !other.attempted;
    this.#prompts = this.#prompts.map((other) => (joins(other) ? { ...other, sessionId } : other));
  }

  /**
   * Takes over the prompts of a page that is gone: they are older than those of this one.
   * @param {Pick<Kept, "prompts"|"drafts">} copy @returns {Prompt[]} those that were not here
   */
  takeOver({ prompts, drafts }) {
    const taken = afterReload(prompts).filter(({ clientMsgId }) => !this.find(clientMsgId));
    const first = Math.min(this.#nextOrder, ...this.#prompts.map(({ order }) => order));
    const older = taken.map((prompt, at) => ({ ...prompt, order: first - taken.length + at }));
    this.#drafts = { ...drafts, ...this.#drafts };
    this.#prompts = [...older, ...this.#prompts];
    this.enforceCap();
    this.changed();
    return older;
  }

  /** Forgets the prompts that another page has taken over. @param {Set<string>} ids */
  forget(ids) {
    this.#prompts = this.#prompts.filter(({ clientMsgId }) => !ids.has(clientMsgId));
  }

  /** Keeps the queue, and tells that it has changed. */
  changed() {
    this.keep();
    this.#onChange();
  }

  keep() {
    this.#kept.write({
      prompts: this.#prompts.filter(({ state }) => state !== "accepted"),
      drafts: this.#drafts,
      nextOrder: this.#nextOrder,
    });
  }
}

/** The copy of the queue in the tab's storage, under the user's id: a reload continues it. */
export class KeptPrompts {
  /** Whether the storage holds all of them; it may be full or forbidden. */
  isWhole = true;
  #storage;
  #key;
  /** @type {Set<string>} the prompts of the copy */
  #ids = new Set();
  /** @type {{page: string, ids: string[]}|null} the page whose left copy has these prompts */
  left = null;
  #leftCopy;

  /**
   * @param {Storage|null} storage @param {string|number} userId
   * @param {import("./tabs/left-copy.js").LeftCopy|null} leftCopy
   */
  constructor(storage, userId, leftCopy = null) {
    this.#storage = storage;
    this.#leftCopy = leftCopy;
    this.#key = `backstay.outbox.${userId}`;
  }

  /** @returns {Kept} */
  read() {
    const copy = keptJson(this.#storage, this.#key);
    if (copy?.v !== 1) return { prompts: [], drafts: {}, nextOrder: 1 };
    const { entries, drafts = {}, nextOrder, left = null } = copy;
    this.left = left;
    this.#ids = new Set(entries.map(({ clientMsgId }) => clientMsgId));
    return { prompts: afterReload(entries), drafts, nextOrder };
  }

  /**
   * Of prompts that do not all fit, those that were stored stay so. A discarded one is never among them: every copy is
   * written from the present prompts, and where nothing can be written, no copy is left.
   * @param {Kept} kept
   */
  write(kept) {
    this.#leave(kept);
    const stored = kept.prompts.filter(({ clientMsgId }) => this.#ids.has(clientMsgId));
    this.isWhole = this.#put(kept);
    if (!this.isWhole) this.#put({ ...kept, prompts: stored });
  }

  /** @param {Kept} kept @returns {boolean} whether the storage holds them */
  #put({ prompts, drafts, nextOrder }) {
    const kept = Object.fromEntries(Object.entries(drafts).slice(-KEPT_DRAFTS));
    const isEmpty = !prompts.length && !Object.keys(kept).length;
    const { left } = this;
    const copy = JSON.stringify({ v: 1, nextOrder, entries: prompts, drafts: kept, left });
    const isStored = keep(this.#storage, this.#key, isEmpty ? null : copy);
    this.#ids = new Set(isStored ? prompts.map(({ clientMsgId }) => clientMsgId) : []);
    return isStored;
  }

  /** Writes the copy for the next page of this browser. @param {Kept} kept */
  #leave({ prompts, drafts }) {
    const copy = this.#leftCopy;
    if (!copy) return;
    const page = copy.id;
    const own = Object.entries(drafts).filter(([id]) => prompts.some((one) => one.draftId === id));
    const text = JSON.stringify({ prompts, drafts: Object.fromEntries(own) });
    if (copy.write(prompts.length ? text : null))
      this.left = { page, ids: prompts.map(({ clientMsgId }) => clientMsgId) };
    else if (!prompts.length || this.left?.page === page) this.left = null;
  }
}

/** A POST that the last page had under way may have arrived. @param {Prompt[]} prompts @returns {Prompt[]} */
function afterReload(prompts) {
  return prompts
    .filter(({ unwanted }) => !unwanted)
    .map((prompt) =>
      prompt.state === "sending"
        ? { ...prompt, state: "queued", tried: true, attempted: true }
        : prompt,
    );
}
