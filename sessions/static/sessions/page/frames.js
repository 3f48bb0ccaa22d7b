/** The way of a frame through the page: the store first, then every part that shows or tells it. */

/** Behind these there may be something to read. */
const READ = new Set(["turn_end", "session_snapshot"]);

export class Frames {
  #options;

  /**
   * @param {{store: import("../log/store.js").Store, clock: import("../server/server-clock.js").ServerClock, sidebar: import("../list/sidebar.js").Sidebar,
   *   notifier: import("../announcing/notifier.js").Notifier, watching: import("./watching.js").Watching,
   *   conversation: import("../conversation.js").Conversation, personal: import("../list/personal.js").Personal}} options
   */
  constructor(options) {
    this.#options = options;
  }

  /** @param {any} frame one that the cursor rules let through */
  take(frame) {
    const { store, clock, sidebar, notifier, conversation } = this.#options;
    if (clock.learn(frame)) sidebar.redraw();
    const { sessionId } = frame;
    if (frame.type === "personal_changed") this.#options.personal.heard(frame.personal);
    if (!sessionId) return;
    const before = store.get(sessionId);
    const view = /** @type {import("../log/store.js").View} */ (store.apply(frame));
    if (view.ready) sidebar.patch(sessionId, rowPart(view.snapshot));
    notifier.hear(frame, view.snapshot.title || "New chat");
    if (sessionId === conversation.sessionId) {
      conversation.parts.speak(frame, before, view);
      if (READ.has(frame.type)) this.#options.personal.read();
    } else this.#elsewhere(frame, view);
    conversation.schedule();
  }

  /** A frame of a chat that is not shown. */
  #elsewhere({ sessionId, type }, view) {
    const { sidebar, watching } = this.#options;
    if (type === "turn_end") sidebar.markNew(sessionId);
    watching.leaveIdle(sessionId, view);
  }
}

/** The part of a snapshot that the list of chats shows. @param {import("../log/fold.js").Snapshot} snapshot */
export function rowPart({ title, state, runState, agent }) {
  return { title, state, runState, agent };
}
