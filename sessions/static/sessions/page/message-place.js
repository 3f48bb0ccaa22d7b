/** The way to one message of a chat: the address names it by its seq, as #m42. */

const AT_MESSAGE = /^#m(\d{1,16})$/;

/**
 * Goes to the message that the address names.
 * @param {{api: any, conversation: import("../conversation.js").Conversation}} options
 */
export async function goToAddress({ api, conversation }) {
  const seq = Number(AT_MESSAGE.exec(location.hash)?.[1]);
  const { sessionId } = conversation;
  if (!seq || !sessionId) return;
  const page = await api.messages(sessionId, { before: seq + 1, limit: 1 }).catch(() => null);
  const [message] = page?.messages ?? [];
  if (message && conversation.sessionId === sessionId) goToMessage(conversation, message.messageId);
}

/**
 * Loads what is between, goes to the message and marks it.
 * @param {import("../conversation.js").Conversation} conversation @param {string} messageId
 */
export function goToMessage(conversation, messageId) {
  conversation.transcript.lookFor({ key: messageId, path: [], top: 60, isMarked: true });
  conversation.schedule();
}
