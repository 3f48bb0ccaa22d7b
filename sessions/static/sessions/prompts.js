/** Prompts between the composer, the outbox and the chat that is shown. */

export class Prompts {
  #options;

  /**
   * @param {{outbox: import("../transport/outbox.js").Outbox, store: import("./store.js").Store,
   *   conversation: import("./conversation.js").Conversation, draft: import("./draft.js").DraftForm,
   *   sidebar: import("./sidebar.js").Sidebar, navigation: import("./navigation.js").Navigation}} options
   */
  constructor(options) {
    this.#options = options;
  }

  /** @param {string} text */
  submit(text) {
    const { outbox, conversation, draft } = this.#options;
    const { sessionId, draftId } = conversation;
    outbox.send(sessionId ? { sessionId, text } : { draftId, text, ...draft.choice });
  }

  /** A new chat that was refused may be sent again with another agent or folder. @param {string} id */
  retry(id) {
    const { outbox, conversation, draft } = this.#options;
    outbox.retry(id, conversation.sessionId ? {} : draft.choice);
  }

  /** The server has a prompt. @param {any} receipt @param {import("../transport/outbox.js").Entry} entry */
  received({ sessionId, clientMsgId }, entry) {
    const { outbox, store, conversation, sidebar, navigation } = this.#options;
    const isShown = entry.draftId && entry.draftId === conversation.draftId;
    if (isShown && !conversation.sessionId) navigation.adopt(sessionId);
    else if (!store.get(sessionId)) outbox.confirm(clientMsgId, sessionId); // no view waits to see it in the log
    sidebar.refresh();
  }
}
