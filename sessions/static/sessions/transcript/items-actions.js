/** The actions of items; the dialog that leads back is loaded when it is opened. */

import { notLoaded } from "../dialogs/toasts.js";

/**
 * @param {{api: any, actions: any, outbox: any, retry: (id: string) => void, serverNow: () => number,
 *   shownRow: () => import("../list/sidebar-row.js").Row|null}} options
 * @param {import("../conversation.js").Conversation} chat that is shown
 */
export function itemsActions({ api, actions, outbox, retry, serverNow, shownRow }, chat) {
  return {
    retry,
    now: serverNow,
    discard: (/** @type {string} */ id) => outbox.discard(id),
    edit: (/** @type {string} */ text) => chat.composer.offer(text),
    loadSkip: (/** @type {string} */ id) =>
      chat.history?.loadSkip(/** @type {string} */ (chat.sessionId), id),
    goBack: async (/** @type {any} */ prompt) => {
      const sessionId = chat.sessionId ?? "";
      const dialog = await import("../chat/back-dialog.js").catch(notLoaded);
      const offer = (/** @type {string} */ text) => chat.composer.offer(text);
      const hasProject = Boolean(shownRow()?.projectId);
      return dialog?.askBack({ api, actions, sessionId, hasProject, prompt, offer });
    },
    undo: (/** @type {number} */ seq, /** @type {object} */ what) =>
      actions.undo(chat.sessionId, seq, what),
  };
}
