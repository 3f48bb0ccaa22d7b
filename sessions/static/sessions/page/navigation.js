/** Which chat is shown: the address, the back button and the links that change it. */

import { randomId } from "../../transport/browser/ids.js";
import { byId } from "../elements/dom.js";
import { under } from "../server/paths.js";

const CHAT_PATH = /\/s\/([0-9a-f-]{36})$/;

export class Navigation {
  #options;

  /**
   * @param {{conversation: import("../conversation.js").Conversation, sidebar: import("../list/sidebar.js").Sidebar,
   *   watching: import("./watching.js").Watching, drawer: import("../list/drawer.js").Drawer,
   *   draft: import("../new-chat/draft.js").DraftForm, outbox: import("../../transport/outbox.js").Outbox}} options
   */
  constructor(options) {
    this.#options = options;
    addEventListener("popstate", () =>
      this.open(CHAT_PATH.exec(location.pathname)?.[1] ?? null, { push: false }),
    );
    for (const id of ["new-chat", "brand"]) {
      byId(id).addEventListener("click", (event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        this.open(null);
      });
    }
  }

  /** @param {string|null} sessionId null: a new chat */
  open(sessionId, { push = true } = {}) {
    const { conversation, sidebar, watching, drawer } = this.#options;
    const before = conversation.sessionId;
    if (push) history.pushState({}, "", under(sessionId ? `/s/${sessionId}` : "/"));
    conversation.show(sessionId ? { sessionId } : { draftId: this.#draftId() });
    if (sessionId) watching.follow(sessionId);
    if (before && before !== sessionId) watching.leaveIdle(before);
    sidebar.show(sessionId);
    drawer.close();
    conversation.composer.focus();
    if (!sessionId) this.loadAgents();
  }

  /** The new chat has its session: the address becomes its own, and the transcript stays. */
  adopt(sessionId) {
    const { conversation, sidebar, watching } = this.#options;
    watching.follow(sessionId);
    history.replaceState({}, "", under(`/s/${sessionId}`));
    conversation.show({ sessionId });
    sidebar.show(sessionId);
  }

  async loadAgents() {
    const { draft, conversation, sidebar } = this.#options;
    await draft.load();
    conversation.schedule();
    sidebar.redraw();
  }

  /** A new chat keeps its id over a reload while it has prompts that wait. */
  #draftId() {
    const { prompts } = this.#options.outbox;
    const waiting = prompts.find((entry) => entry.draftId && !entry.sessionId);
    return waiting?.draftId ?? `draft-${randomId()}`;
  }
}
