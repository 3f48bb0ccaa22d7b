/** The ways between this page and a terminal; the dialogs are loaded when one of them is opened. */

import { byId } from "../elements/dom.js";
import { notLoaded } from "../dialogs/toasts.js";

/**
 * The button in the form of a new chat.
 * @param {{api: any, draft: import("../new-chat/draft.js").DraftForm, navigation: import("../page/navigation.js").Navigation,
 *   sidebar: import("../list/sidebar.js").Sidebar}} options
 */
export function bindTerminalChats({ api, draft, navigation, sidebar }) {
  const open = (/** @type {string} */ id) => {
    navigation.open(id);
    sidebar.refresh();
  };
  byId("terminal-chats").addEventListener("click", async () => {
    const dialogs = await import("./terminal-dialogs.js").catch(notLoaded);
    dialogs?.showChats({ api, choice: draft.choice, open });
  });
}
