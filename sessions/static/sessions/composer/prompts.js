/** Prompts between the composer, the outbox and the chat that is shown. */

export class Prompts {
  #options;

  /**
   * @param {{actions: any, outbox: import("../../transport/outbox.js").Outbox, store: import("../log/store.js").Store,
   *   conversation: import("../conversation.js").Conversation, draft: import("../new-chat/draft.js").DraftForm,
   *   sidebar: import("../list/sidebar.js").Sidebar, navigation: import("../page/navigation.js").Navigation,
   *   files: import("./attached.js").Attached}} options
   */
  constructor(options) {
    this.#options = options;
  }

  /**
   * One that is sent now names the turn that it stops, "" for the one that runs by then. It goes by the outbox first,
   * so no failure of the stop can lose it.
   * @param {string} text
   */
  submit(text, isNow = false) {
    const { outbox, store, conversation, draft, files } = this.#options;
    const { sessionId, draftId } = conversation;
    const { cwd, projectId } = draft.choice;
    const hasFolder = sessionId || cwd || projectId;
    const mentions = hasFolder ? conversation.parts.mentionsIn(text) : [];
    const prompt = { text, attachments: files.take(), ...(mentions.length && { mentions }) };
    const stops = isNow ? (store.get(sessionId)?.snapshot.turn?.turnId ?? "") : null;
    outbox.send(
      sessionId ? { sessionId, ...prompt, stops } : { draftId, ...prompt, ...draft.choice },
    );
  }

  /** A new chat that was refused may be sent again with another agent or folder. @param {string} id */
  retry(id) {
    const { outbox, conversation, draft } = this.#options;
    outbox.retry(id, conversation.sessionId ? {} : draft.choice);
  }

  /** The server has a prompt. @param {any} receipt @param {import("../../transport/outbox.js").Prompt} entry */
  received({ sessionId, clientMsgId }, entry) {
    const { actions, outbox, store, conversation, sidebar, navigation } = this.#options;
    const isShown = entry.draftId && entry.draftId === conversation.draftId;
    if (isShown && !conversation.sessionId) navigation.adopt(sessionId);
    else if (!store.get(sessionId)) outbox.confirm(clientMsgId, sessionId); // no view waits to see it in the log
    if (typeof entry.stops === "string") actions.sendNow(sessionId, entry.stops, clientMsgId);
    sidebar.refresh();
  }
}
