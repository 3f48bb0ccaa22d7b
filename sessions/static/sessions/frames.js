/** The way of a frame through the page: the store first, then every part that shows or tells it. */

import { speak } from "./speaker.js";

export class Frames {
  #options;

  /**
   * @param {{store: import("./store.js").Store, outbox: import("../transport/outbox.js").Outbox,
   *   clock: import("./server-clock.js").ServerClock, sidebar: import("./sidebar.js").Sidebar,
   *   notifier: import("./notifier.js").Notifier, watching: import("./watching.js").Watching,
   *   conversation: import("./conversation.js").Conversation}} options
   */
  constructor(options) {
    this.#options = options;
  }

  /** @param {any} frame one that the cursor rules let through */
  take(frame) {
    const { store, clock, sidebar, notifier, conversation } = this.#options;
    if (clock.learn(frame)) sidebar.redraw();
    const { sessionId } = frame;
    if (!sessionId) return;
    const before = store.get(sessionId);
    const view = /** @type {import("./store.js").View} */ (store.apply(frame));
    this.#confirmPrompts(frame);
    if (view.ready) sidebar.patch(sessionId, rowPart(view.snapshot));
    notifier.hear(frame, view.snapshot.title || "New chat");
    if (sessionId === conversation.sessionId) speak(frame, before, view);
    else this.#elsewhere(frame, view);
    conversation.schedule();
  }

  /** A frame of a chat that is not shown. */
  #elsewhere({ sessionId, type }, view) {
    const { sidebar, watching } = this.#options;
    if (type === "turn_end") sidebar.markNew(sessionId);
    watching.leaveIdle(sessionId, view);
  }

  /** A prompt that the log shows has arrived, even when its receipt was lost. */
  #confirmPrompts({ type, clientMsgId, sessionId, messages = [] }) {
    const { outbox } = this.#options;
    if (type === "user_message") outbox.confirm(clientMsgId, sessionId);
    for (const message of messages) {
      if (message.role === "user") outbox.confirm(message.clientMsgId, sessionId);
    }
  }
}

/** The part of a snapshot that the list of chats shows. @param {import("./fold.js").Snapshot} snapshot */
export function rowPart({ title, state, runState, agent }) {
  return { title, state, runState, agent };
}
