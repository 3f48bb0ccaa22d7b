/** The POSTs of the outbox: one in flight, each judged by its answer. */

import { isForeign } from "./commands.js";
import { Pause } from "./pause.js";
import { bodyOf } from "./prompts.js";

const RETRYABLE = new Set([408, 425, 429]);
/** The refusals that another try of this page would meet again. */
const CREDENTIALS = new Set(["csrf_failed", "origin_refused"]);

/** @typedef {import("./prompts.js").Prompt} Prompt */

export class Sender {
  /** False until it is known that no other page has taken the prompts over. */
  isOpen = true;
  #options;
  #queue;

  /**
   * @param {{queue: import("./prompts.js").Queue, clock: import("./clock.js").Clock, random: () => number,
   *   command: ReturnType<typeof import("./commands.js").createCommands>, connectionId: () => string|null,
   *   upload: (attachments: any[]) => Promise<import("./commands.js").Answer|null>,
   *   onReceipt: (receipt: any, prompt: Prompt) => void, onUnknownConnection: (id: string) => void}} options
   */
  constructor({ queue, clock, random, ...options }) {
    this.#options = options;
    this.#queue = queue;
    this.pause = new Pause({ clock, random, onEnd: () => this.#goOn() });
  }

  /** Sends the head of the queue, unless there is a pause or a POST is under way. */
  pump() {
    const { prompts, head } = this.#queue;
    if (!this.isOpen || this.pause.why || prompts.some(({ state }) => state === "sending")) return;
    if (head) this.#post(head);
  }

  /** Sends nothing until the same person is logged in again. */
  hold() {
    this.pause.login();
    this.#paused();
  }

  /** The prompt that a delay was for has gone: the next one has met nothing yet. A Retry-After holds for it, too. */
  notWaitedFor() {
    this.pause.forget();
    this.pause.resume();
    this.pump();
  }

  /** The log has shown a prompt: as good as a receipt. */
  arrived(prompt, sessionId = prompt.sessionId ?? this.#queue.sessionOf(prompt.draftId)) {
    this.pause.forget();
    this.#queue.remove(prompt);
    const { clientMsgId, seq } = prompt;
    const receipt = { ok: true, accepted: true, clientMsgId, sessionId, seq, duplicate: false };
    this.#options.onReceipt(receipt, prompt);
    this.#queue.changed();
    this.pause.resume();
    this.pump();
  }

  /** @param {Prompt} head */
  async #post(head) {
    const prompt = this.#queue.set(head, { state: "sending" });
    const connectionId = this.#options.connectionId();
    this.#queue.changed();
    if (!(await this.#isUploaded(prompt))) return;
    try {
      const answer = await this.#options.command("send", bodyOf(prompt), connectionId);
      this.#answered(this.#queue.find(prompt.clientMsgId), answer, connectionId);
    } catch (error) {
      const now = this.#queue.find(prompt.clientMsgId);
      const unanswered = error instanceof Error && error.name === "TimeoutError";
      if (now.seen) this.arrived(now);
      else this.#again(now, { attempted: true, unanswered }); // network error or deadline: it may have arrived
    }
  }

  /** Brings the files of a prompt up first; a failure decides on the prompt, which was not sent. */
  async #isUploaded({ clientMsgId, attachments = [] }) {
    if (!attachments.length) return true;
    /** @type {any} */
    const answer = await this.#options
      .upload(attachments)
      .catch(() => ({ status: 0, isOurs: false }));
    if (answer === null) return true;
    const prompt = this.#queue.find(clientMsgId);
    if (prompt.seen) this.arrived(prompt);
    else if (isLoginNeeded(answer)) this.#awaitLogin(prompt);
    else if (isPassing(answer)) this.#again(prompt, {}, answer.retryAfterMs);
    else this.#refused(prompt, answer.status, answer.body);
    return false;
  }

  #answered(prompt, answer, connectionId) {
    const { status, body, retryAfterMs } = answer;
    if (isReceipt(answer, prompt)) return this.#accepted(prompt, body);
    if (prompt.seen) return this.arrived(prompt);
    if (status === 404 && body?.code === "unknown_connection")
      return this.#awaitConnection(prompt, connectionId);
    const isGood = status >= 200 && status < 300;
    if (isForeign(answer)) {
      // Stopped on its way; but a strange page with a 2xx says nothing about the prompt.
      return this.#again(prompt, { attempted: prompt.attempted || isGood }, retryAfterMs);
    }
    if (isLoginNeeded(answer)) return this.#awaitLogin(prompt);
    if (RETRYABLE.has(status) || status >= 500 || status < 400) {
      // A refusal says that nothing was stored; a broken gateway or a strange 2xx does not.
      const unanswered = status === 408 || status === 504;
      const mayBeInLog = !RETRYABLE.has(status) || status === 408;
      const change = { attempted: prompt.attempted || mayBeInLog, unanswered };
      return this.#again(prompt, change, retryAfterMs);
    }
    return this.#refused(prompt, status, body);
  }

  #accepted(prompt, receipt) {
    this.pause.forget();
    const { sessionId, seq } = receipt;
    this.#queue.adopt(prompt, sessionId);
    const change = { sessionId, seq, state: /** @type {const} */ ("accepted") };
    const done = this.#queue.set(prompt, { ...change, code: null, error: null });
    if (done.seen) this.#queue.remove(done);
    this.#options.onReceipt(receipt, done);
    this.#queue.changed();
    this.pump();
  }

  #refused(prompt, status, body) {
    this.pause.forget();
    if (prompt.unwanted) this.#queue.remove(prompt);
    else {
      this.#queue.set(prompt, {
        state: "failed",
        code: body?.code ?? `status_${status}`,
        error: body?.error ?? `The server refused it (status ${status}).`,
      });
    }
    this.#queue.changed();
    this.pump();
  }

  #again(prompt, change, atLeastMs = 0) {
    this.#putBack(prompt, change);
    this.pause.retry(atLeastMs);
    this.#paused();
    if (prompt.unwanted) this.notWaitedFor();
  }

  /** A pause is over. */
  #goOn() {
    this.#queue.changed();
    this.pump();
  }

  #awaitConnection(prompt, connectionId) {
    this.#putBack(prompt);
    this.pause.connection(connectionId);
    this.#paused();
    this.#options.onUnknownConnection(connectionId);
    // The stream may have been replaced while the POST was on its way.
    this.pause.connectionChanged(this.#options.connectionId());
  }

  #awaitLogin(prompt) {
    this.#putBack(prompt);
    this.hold();
  }

  /** Back to the head of the queue: its order is its place. One that was discarded meanwhile is gone. */
  #putBack(prompt, change = {}) {
    if (prompt.unwanted) this.#queue.remove(prompt);
    else this.#queue.set(prompt, { ...change, state: "queued", tried: true });
  }

  #paused() {
    this.#queue.enforceCap();
    this.#queue.changed();
  }
}

function isLoginNeeded({ status, body }) {
  return status === 401 || (status === 403 && CREDENTIALS.has(body?.code));
}

/** Whether the next try of an upload may succeed; 507 is a quota, which stays. */
function isPassing(answer) {
  const { status } = answer;
  if (!status || isForeign(answer) || RETRYABLE.has(status)) return true;
  return status < 400 ? status !== 202 : status >= 500 && status !== 507;
}

function isReceipt({ status, body }, { clientMsgId }) {
  return (
    status >= 200 &&
    status < 300 &&
    body?.ok === true &&
    body.accepted === true &&
    body.clientMsgId === clientMsgId &&
    typeof body.sessionId === "string" &&
    Number.isInteger(body.seq)
  );
}
