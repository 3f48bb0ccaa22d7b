/** Prompts between the composer, the outbox and the chat that is shown. */

export class Prompts {
  #options;

  /**
   * @param {{outbox: import("../transport/outbox.js").Outbox, store: import("./store.js").Store,
   *   conversation: import("./conversation.js").Conversation, draft: import("./draft.js").DraftForm,
   *   sidebar: import("./sidebar.js").Sidebar, navigation: import("./navigation.js").Navigation,
   *   files: import("./attached.js").Attached}} options
   */
  constructor(options) {
    this.#options = options;
  }

  /** @param {string} text */
  submit(text) {
    const { outbox, conversation, draft, files } = this.#options;
    const { sessionId, draftId } = conversation;
    const { cwd, projectId } = draft.choice;
    const hasFolder = sessionId || cwd || projectId;
    const mentions = hasFolder ? conversation.parts.mentionsIn(text) : [];
    const prompt = { text, attachments: files.take(), ...(mentions.length && { mentions }) };
    outbox.send(sessionId ? { sessionId, ...prompt } : { draftId, ...prompt, ...draft.choice });
  }

  /** A new chat that was refused may be sent again with another agent or folder. @param {string} id */
  retry(id) {
    const { outbox, conversation, draft } = this.#options;
    outbox.retry(id, conversation.sessionId ? {} : draft.choice);
  }

  /** The server has a prompt. @param {any} receipt @param {import("../transport/outbox.js").Prompt} entry */
  received({ sessionId, clientMsgId }, entry) {
    const { outbox, store, conversation, sidebar, navigation } = this.#options;
    const isShown = entry.draftId && entry.draftId === conversation.draftId;
    if (isShown && !conversation.sessionId) navigation.adopt(sessionId);
    else if (!store.get(sessionId)) outbox.confirm(clientMsgId, sessionId); // no view waits to see it in the log
    sidebar.refresh();
  }
}
