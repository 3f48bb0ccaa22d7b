/**
 * The comments of a chat that wait to be sent: a person's own, the same on every device.
 *
 * A change shows at once. The browser keeps it until the server has it, over a reload and a lost line.
 */

import { randomId } from "../../transport/browser/ids.js";
import { keep, keptJson } from "../../transport/browser/storage.js";

const RETRY_MS = 5_000;
/** Another try would have the same answer. */
const REFUSALS = new Set([400, 404, 409, 413]);

/**
 * @typedef {import("./comment-prompt.js").Comment & {id: string}} Comment
 * @typedef {{id: string, comment: Comment|null}} Change null: the comment is removed
 * @typedef {{comments: Comment[], version: number, changes: Change[]}} Kept comments, version: the server's, as this
 *   browser knows them; changes: not there yet
 */

export class SharedComments {
  #options;
  /** @type {string|null} */
  #sessionId = null;
  /** @type {Kept} */
  #kept = nothing();
  #isBusy = false;
  #retryAt = 0;

  /**
   * @param {{api: any, storage: Storage|null, userId: string|number, now: () => number, changed: () => void,
   *   refused: (sentence: string) => void}} options refused: the server does not take a comment
   */
  constructor(options) {
    this.#options = options;
  }

  /** Another chat is shown. @param {string|null} sessionId */
  show(sessionId) {
    if (sessionId === this.#sessionId) return;
    this.#sessionId = sessionId;
    this.#retryAt = 0;
    this.restore();
  }

  /** @returns {Comment[]} in the order in which they were written */
  get all() {
    const { comments, changes } = this.#kept;
    const all = new Map(comments.map((comment) => [comment.id, comment]));
    for (const { id, comment } of changes) {
      if (comment) all.set(id, comment);
      else all.delete(id);
    }
    return [...all.values()];
  }

  /** @param {Omit<Comment, "id">} comment */
  add(comment) {
    const id = randomId();
    this.#change([{ id, comment: { ...comment, id } }]);
  }

  /** @param {string[]} ids */
  remove(ids) {
    this.#change(ids.map((id) => ({ id, comment: null })));
  }

  /** The server tells the version of a chat's comments. @param {string} sessionId @param {number} version */
  told(sessionId, version) {
    if (sessionId === this.#sessionId && version > this.#kept.version) this.#read(sessionId);
  }

  /** Tries again what the server does not have. */
  tick() {
    if (this.#kept.changes.length && this.#options.now() >= this.#retryAt) this.#write();
  }

  /** @param {Change[]} changes */
  #change(changes) {
    this.#keep({ changes: [...this.#kept.changes, ...changes] });
    this.#write();
  }

  async #write() {
    const { api, now, refused } = this.#options;
    const sessionId = this.#sessionId;
    if (this.#isBusy || !sessionId) return;
    this.#isBusy = true;
    try {
      while (sessionId === this.#sessionId && this.#kept.changes.length) {
        const [change] = this.#kept.changes;
        const { id, comment } = change;
        const { personal } = comment
          ? await api.keepComment(sessionId, comment)
          : await api.dropComment(sessionId, id);
        this.#written(sessionId, change, personal.commentsVersion);
      }
    } catch (error) {
      const { status, body, message } = /** @type {any} */ (error);
      this.#retryAt = now() + RETRY_MS;
      if (body?.code && REFUSALS.has(status)) {
        this.#without(sessionId, this.#kept.changes[0]);
        refused(message);
      }
    } finally {
      this.#isBusy = false;
    }
  }

  /** @param {string} sessionId @param {Change} change @param {number} version of the comments with it */
  #written(sessionId, change, version) {
    if (sessionId !== this.#sessionId) return;
    const { comments } = this.#kept;
    const others = comments.filter(({ id }) => id !== change.id);
    const isNext = version <= this.#kept.version + 1;
    this.#keep({
      comments: change.comment ? [...others, change.comment] : others,
      version: isNext ? Math.max(version, this.#kept.version) : this.#kept.version,
    });
    this.#without(sessionId, change);
    if (!isNext) this.#read(sessionId); // another device has written, too
  }

  /** @param {string} sessionId @param {Change} done */
  #without(sessionId, done) {
    if (sessionId !== this.#sessionId) return;
    const isSame = (/** @type {Change} */ change) =>
      change.id === done.id && Boolean(change.comment) === Boolean(done.comment);
    this.#keep({ changes: this.#kept.changes.filter((change) => !isSame(change)) });
  }

  /** @param {string} sessionId */
  async #read(sessionId) {
    try {
      const { comments, version } = await this.#options.api.comments(sessionId);
      if (sessionId === this.#sessionId && version >= this.#kept.version)
        this.#keep({ comments, version });
    } catch {
      // The next list of chats tells the version again.
    }
  }

  /** Takes what the browser has, as another tab may have left it. */
  restore() {
    const kept = this.#sessionId && keptJson(this.#options.storage, this.#key);
    this.#kept = Array.isArray(kept) ? ofBefore(kept) : { ...nothing(), ...kept };
    this.#options.changed();
  }

  /** @param {Partial<Kept>} change */
  #keep(change) {
    this.#kept = { ...this.#kept, ...change };
    const { comments, changes } = this.#kept;
    const hasAny = comments.length || changes.length;
    keep(this.#options.storage, this.#key, hasAny ? JSON.stringify(this.#kept) : null);
    this.#options.changed();
  }

  get #key() {
    return `backstay.comments.${this.#options.userId}.${this.#sessionId}`;
  }
}

/** @returns {Kept} */
function nothing() {
  return { comments: [], version: 0, changes: [] };
}

/** The comments of a version that kept them in the browser alone. @param {any[]} comments @returns {Kept} */
function ofBefore(comments) {
  const changes = comments.map((comment) => {
    const id = randomId();
    return { id, comment: { ...comment, id } };
  });
  return { ...nothing(), changes };
}
