/** The client: one stream and one outbox for one user. */

import { systemClock } from "./clock.js";
import { createCommands } from "./commands.js";
import { Outbox } from "./outbox.js";
import { Stream } from "./stream.js";
import { LeftCopy } from "./tabs/left-copy.js";
import { SharedStream } from "./tabs/shared-stream.js";

export class Client {
  #browser;
  #locks;
  #left;

  /**
   * @param {{fetch: typeof globalThis.fetch, csrf: () => string, userId: string|number, storage: Storage|null,
   *   browser?: import("./tabs/left-copy.js").Names|null,
   *   sendTimeoutMs: number, heartbeatMs: number, pingGrace: number, maxPending: number, maxWatches: number,
   *   locks: Pick<LockManager, "request">|null, makeChannel: ((name: string) => BroadcastChannel)|null,
   *   beacon: ((body: any) => boolean)|null, importance: (sessionId: string) => number,
   *   upload?: (attachments: any[]) => Promise<import("./commands.js").Answer|null>,
   *   onFrame: (frame: any) => void, onStatus: (status: import("./stream.js").StreamStatus) => void,
   *   onAnswer: (answer: import("./commands.js").Answer) => void, onPrompts: () => void,
   *   onReceipt: (receipt: any, prompt: import("./prompts.js").Prompt) => void}} options
   *   storage: keeps the outbox; browser: keeps a copy for the next tab, where there are locks; onFrame: the frames to apply, in order and once; onAnswer: to any command;
   *   onPrompts: the outbox has changed; locks, makeChannel, beacon, importance: as of SharedStream
   */
  constructor({ fetch, csrf, userId, onFrame, onStatus, onAnswer, onPrompts, ...options }) {
    const { browser: storage = null, locks } = options;
    const name = `backstay.left.${userId}`;
    this.#browser = storage;
    this.#locks = locks;
    this.#left = storage && locks && new LeftCopy({ storage, locks, name });
    this.command = createCommands({ fetch, csrf, timeoutMs: options.sendTimeoutMs, onAnswer });
    this.stream = new SharedStream({
      ...options,
      name: `backstay.stream.${userId}`,
      onFrame: (frame) => {
        onFrame(frame); // first: a prompt that leaves the outbox is on show already
        this.#confirm(frame);
      },
      onStatus: (status) => {
        this.outbox.connectionChanged(status.connectionId);
        onStatus(status);
      },
      makeStream: (on) => new Stream({ ...options, fetch, command: this.command, ...on }),
    });
    this.outbox = new Outbox({
      ...options,
      userId,
      command: this.command,
      connectionId: () => this.stream.connectionId,
      onChange: onPrompts,
      onUnknownConnection: (id) => this.stream.forget(id),
      left: this.#left,
    });
  }

  start() {
    this.stream.open();
    this.outbox.start();
  }

  /** Takes over the prompts of tabs that are gone. @returns {Promise<import("./prompts.js").Prompt[]>} */
  async takeOver() {
    const { outbox } = this;
    if (!this.#left?.others.length) return [];
    const later = await import("./tabs/take-over.js").catch(() => null); // the next page asks again
    const browser = { left: this.#left, storage: this.#browser, locks: this.#locks };
    return later?.takeOver({ ...browser, clock: systemClock, outbox }) ?? [];
  }

  /** Try now: a person asks for it. */
  hurry() {
    this.stream.wake("asked");
    this.outbox.resume();
  }

  /** A prompt that the log shows has arrived, even when its receipt was lost. */
  #confirm({ type, clientMsgId, sessionId, messages = [] }) {
    if (type === "user_message") this.outbox.confirm(clientMsgId, sessionId);
    for (const message of messages) {
      if (message.role === "user") this.outbox.confirm(message.clientMsgId, sessionId);
    }
  }
}
