/**
 * The outbox: prompts that the server has not acknowledged, in order, never lost in silence.
 *
 * One POST in flight; the head of the queue is repeated, with the same body and clientMsgId, until there is
 * a receipt or a final refusal (docs/reference/clients.md). Kept in the tab's sessionStorage under the
 * user's id: a reload continues it, and another log-in never sends it. A copy outlives the tab. Knows no DOM.
 *
 * A prompt's state here: queued → sending → accepted (receipt, until the log shows it) or failed | evicted,
 * both shown with a retry. A duplicated tab may send a prompt twice: the server admits it once by its id.
 */

import { systemClock } from "./clock.js";
import { randomId } from "./browser/ids.js";
import { isPending, KeptPrompts, Queue } from "./prompts.js";
import { Sender } from "./sender.js";

/** @typedef {import("./prompts.js").Prompt} Prompt */

/** The refusals of a prompt that names a file. */
const NO_FILE = new Set(["unknown_file", "file_refused"]);

export class Outbox {
  #options;
  #queue;
  #kept;
  #left;
  #sender;

  /**
   * @param {{command: ReturnType<typeof import("./commands.js").createCommands>, connectionId: () => string|null,
   *   userId: string|number, maxPending: number, storage?: Storage|null, clock?: import("./clock.js").Clock,
   *   random?: () => number, newId?: () => string, onChange?: () => void,
   *   onReceipt?: (receipt: any, prompt: Prompt) => void, onUnknownConnection?: (id: string) => void,
   *   upload?: (attachments: any[]) => Promise<import("./commands.js").Answer|null>,
   *   left?: import("./tabs/left-copy.js").LeftCopy|null}} options
   *   upload: brings the files of a prompt to the server before it; left: the copy for the next page of this browser
   */
  constructor({
    storage = null,
    userId,
    maxPending,
    clock = systemClock,
    random = Math.random,
    newId = randomId,
    onChange = () => {},
    onReceipt = () => {},
    onUnknownConnection = () => {},
    upload = async () => null,
    left = null,
    ...server
  }) {
    this.#options = { clock, newId };
    this.#kept = new KeptPrompts(storage, userId, left);
    this.#left = left;
    const changed = () => {
      this.#leave();
      onChange();
    };
    const queue = new Queue({ maxPending, kept: this.#kept, onChange: changed });
    this.#queue = queue;
    this.#sender = new Sender({
      ...server,
      queue,
      clock,
      random,
      upload,
      onReceipt,
      onUnknownConnection,
    });
    this.#sender.isOpen = !left || !this.#kept.left;
  }

  /** Everything that is not yet in the log as far as this tab knows, oldest first. @returns {readonly Prompt[]} */
  get prompts() {
    return this.#queue.prompts;
  }

  /** The prompts that are still to be sent, oldest first. */
  get pending() {
    return this.#queue.pending;
  }

  /** The reason why nothing is sent now; null without one. */
  get waiting() {
    return this.#sender.pause.why;
  }

  /** Whether a reload brings every prompt back. */
  get isKept() {
    return this.#kept.isWhole;
  }

  /** The session of a draft, once its first prompt is accepted. @returns {string|null} */
  sessionOf(draftId) {
    return this.#queue.sessionOf(draftId);
  }

  // -- what may be asked ------------------------------------------------------------------------

  /** Begins to send the prompts that an earlier page of this tab left, unless another tab has taken them over. */
  async start() {
    const { left: before } = this.#kept;
    if (this.#left && before) {
      const isHeld = await this.#left.hold();
      if (isHeld && !this.#left.has(before.page)) this.#queue.forget(new Set(before.ids));
      this.#queue.changed(); // the copy of this page, before the one of the last goes
      if (isHeld) this.#left.remove(before.page);
      this.#sender.isOpen = true;
    }
    this.#leave();
    this.#sender.pump();
  }

  /** @param {Pick<import("./prompts.js").Kept, "prompts"|"drafts">} copy of a page that is gone @returns {Prompt[]} */
  takeOver(copy) {
    const taken = this.#queue.takeOver(copy);
    this.#sender.pump();
    return taken;
  }

  /** Sees to a copy for the next page of this browser while something waits. */
  async #leave() {
    const { prompts } = this.#queue;
    const hasWaiting = prompts.some(({ state }) => state !== "accepted");
    if (!hasWaiting || !this.#left || this.#left.isHeld || !this.#sender.isOpen) return;
    if (await this.#left.hold()) this.#queue.keep();
  }

  /**
   * @param {{sessionId?: string|null, draftId?: string|null, text: string, agent?: string|null,
   *   mode?: string|null, cwd?: string|null, projectId?: string|null, worktree?: object|null, options?: object|null,
   *   attachments?: import("./uploads.js").Attachment[], mentions?: string[], stops?: string|null}} prompt sessionId null: a new chat; draftId ties its prompts together
   * @returns {string} clientMsgId
   */
  send({ sessionId = null, draftId = null, agent = null, mode = null, cwd = null, ...rest }) {
    const { newId, clock } = this.#options;
    const clientMsgId = newId();
    const createdAt = clock.now();
    const {
      text,
      attachments = [],
      mentions = [],
      projectId = null,
      worktree = null,
      options = null,
      stops = null,
    } = rest;
    const wish = { text, attachments, mentions, agent, mode, cwd, projectId, worktree, options };
    this.#queue.add({ clientMsgId, createdAt, sessionId, draftId, ...wish, stops });
    this.#sender.pump();
    return clientMsgId;
  }

  /**
   * Puts a failed or evicted prompt back in its old place, before younger ones; the cap holds here too.
   * @param {string} clientMsgId
   * @param {{agent?: string|null, mode?: string|null, cwd?: string|null, projectId?: string|null, worktree?: object|null, options?: object|null}} choice of a new chat
   */
  retry(clientMsgId, choice = {}) {
    const prompt = this.#queue.find(clientMsgId);
    if (!prompt || isPending(prompt) || prompt.state === "accepted") return;
    this.#queue.remove(prompt);
    // An id that another prompt has used can never be admitted: this one is a new prompt.
    const fresh =
      prompt.code === "fingerprint_conflict"
        ? { clientMsgId: this.#options.newId(), attempted: false }
        : {};
    // A file that is not there any more would be refused again; the text still names it.
    const mentions = NO_FILE.has(prompt.code ?? "") ? [] : prompt.mentions;
    const next = { ...prompt, ...fresh, mentions, state: "queued", code: null, error: null };
    const sessionId = next.sessionId ?? this.sessionOf(next.draftId);
    this.#queue.insert(next.attempted ? next : { ...next, ...choice, sessionId });
    this.#sender.pump();
  }

  /** Takes a prompt back. One whose POST is under way goes when that ends without a receipt. */
  discard(clientMsgId) {
    const prompt = this.#queue.find(clientMsgId);
    if (!prompt) return;
    const wasWaitedFor = prompt === this.#queue.head;
    if (prompt.state === "sending") this.#queue.set(prompt, { unwanted: true });
    else this.#queue.remove(prompt);
    this.#queue.changed();
    if (wasWaitedFor) this.#sender.notWaitedFor();
  }

  /** The log shows this prompt: whatever became of its receipt, it has arrived. */
  confirm(clientMsgId, sessionId) {
    const prompt = this.#queue.find(clientMsgId);
    if (!prompt) return;
    this.#queue.adopt(prompt, sessionId);
    // One POST is in flight: its end is waited for.
    if (prompt.state === "sending") this.#queue.set(prompt, { seen: true });
    else this.#sender.arrived(prompt, sessionId);
  }

  /** Nothing more goes out until `loggedIn`: the page has learnt that another person is logged in. */
  hold() {
    this.#sender.hold();
  }

  /** Try now: the network is back. Shortens neither a Retry-After nor a wait for a log-in. */
  resume() {
    this.#sender.pause.resume();
  }

  /** @param {string|null} connectionId the id of the stream that is live now */
  connectionChanged(connectionId) {
    this.#sender.pause.connectionChanged(connectionId);
  }

  /** The same person is logged in again. */
  loggedIn() {
    this.#sender.pause.loggedIn();
  }
}
