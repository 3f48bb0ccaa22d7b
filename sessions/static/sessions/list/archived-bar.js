/** A chat that is archived says so while it is shown, and says when it is back on the list. */

import { byId, h } from "../elements/dom.js";
import { refocus } from "../elements/refocus.js";
import { toast } from "../dialogs/toasts.js";

export class ArchivedBar {
  #options;
  #bar = h(
    "div.archived-bar",
    { role: "status", hidden: true },
    h("span", { text: "This chat is archived. A prompt puts it back on the list." }),
    h("button", { type: "button", text: "Restore", onclick: () => this.#restore() }),
  );
  /** @type {string|null} the chat that was looked at last */
  #sessionId = null;
  /** Whether it was on the list by then; null: it was not looked at. */
  #wasListed = /** @type {boolean|null} */ (null);

  /**
   * @param {{api: any, sidebar: import("./sidebar.js").Sidebar,
   *   conversation: import("../conversation.js").Conversation}} options
   */
  constructor(options) {
    this.#options = options;
    byId("composer").before(this.#bar);
  }

  /** It does not stay at another chat. */
  turn() {
    const { sessionId } = this.#options.conversation;
    if (sessionId === this.#sessionId) return;
    this.#sessionId = sessionId;
    this.#wasListed = null;
    this.#bar.hidden = true;
  }

  /** Another chat was loaded, or the list has come: asks the server about a chat that is not on it. */
  async look() {
    this.turn();
    const { api, sidebar } = this.#options;
    const sessionId = this.#sessionId;
    if (!sessionId) return;
    const isListed = !sidebar.lacks(sessionId);
    const hasChanged = isListed !== this.#wasListed;
    this.#wasListed = isListed;
    if (isListed) this.#back();
    else if (hasChanged) {
      const told = await api.personal(sessionId).catch(() => null);
      if (!told) this.#wasListed = null; // the next list asks again
      if (sessionId === this.#sessionId && told && sidebar.lacks(sessionId))
        this.#bar.hidden = !told.archivedAt;
    }
  }

  /** By a prompt, here or on another device, or by a person who has restored it. */
  #back() {
    if (this.#bar.hidden) return;
    const hadFocus = this.#bar.contains(document.activeElement);
    this.#bar.hidden = true;
    toast("The chat is back on the list.");
    if (hadFocus) refocus(this.#options.conversation.composer);
  }

  async #restore() {
    const { api, sidebar, conversation } = this.#options;
    const sessionId = this.#sessionId;
    try {
      await api.restore(sessionId);
    } catch (failure) {
      toast(`The chat was not restored. ${failure instanceof Error ? failure.message : failure}`);
      return;
    }
    await sidebar.refresh();
    // The list may have failed to come, or may end before this chat.
    if (sessionId === conversation.sessionId) this.#back();
  }
}
