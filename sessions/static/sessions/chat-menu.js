/** The menu of a chat: rename, export, stop or close its agent, archive. */

import { askArchive, askTitle, openMenu } from "./dialogs.js";
import { byId } from "./dom.js";
import { visible } from "./visible.js";
import { announce } from "./toasts.js";

export class ChatMenu {
  #options;

  /**
   * @param {{actions: any, api: any, sidebar: import("./sidebar.js").Sidebar, store: import("./store.js").Store,
   *   conversation: import("./conversation.js").Conversation,
   *   navigation: import("./navigation.js").Navigation}} options
   */
  constructor(options) {
    this.#options = options;
    byId("open-menu").addEventListener("click", () => this.#openForShown());
  }

  /** @param {import("./sidebar.js").Row} row @param {HTMLElement} anchor */
  open(row, anchor) {
    const { api } = this.#options;
    const { sessionId } = row;
    openMenu(anchor, [
      { label: "Rename", run: () => this.#rename(row) },
      { label: "Export as Markdown", href: api.exportUrl(sessionId, "md") },
      { label: "Export all events (JSON lines)", href: api.exportUrl(sessionId, "jsonl") },
      ...this.#endings(row),
      { label: "Archive", danger: true, run: () => this.#archive(row) },
    ]);
  }

  #openForShown() {
    const { conversation, sidebar, store } = this.#options;
    const { sessionId } = conversation;
    if (!sessionId) return;
    const row = sidebar.row(sessionId) ?? { ...store.get(sessionId)?.snapshot, sessionId };
    this.open(/** @type {any} */ (row), byId("open-menu"));
  }

  #endings({ sessionId, state, runState }) {
    const { actions } = this.#options;
    if (state === "ENDED") return [];
    return runState === "idle"
      ? [{ label: "Close the agent", run: () => actions.close(sessionId) }]
      : [{ label: "Stop the agent now", run: () => actions.stop(sessionId) }];
  }

  #rename({ sessionId, title }) {
    const { actions, sidebar } = this.#options;
    askTitle(title, async (name) => {
      await actions.rename(sessionId, name);
      sidebar.patch(sessionId, { title: name });
    });
  }

  #archive({ sessionId, title }) {
    const { actions, sidebar, conversation, navigation } = this.#options;
    askArchive(visible(title || "New chat"), async () => {
      await actions.archive(sessionId);
      sidebar.remove(sessionId);
      announce("The chat is archived.");
      if (sessionId === conversation.sessionId) navigation.open(null);
    });
  }
}
