/** The messages that a search has found: under the chats in the list, each leads to its place. */

import { byId, h } from "../elements/dom.js";
import { goToMessage } from "../page/message-place.js";
import { under } from "../server/paths.js";
import { visible } from "../words/visible.js";

const MOST = 20;

export class Found {
  #options;
  #list = byId("found");
  #asked = 0;

  /**
   * @param {{api: any, conversation: import("../conversation.js").Conversation,
   *   navigation: import("../page/navigation.js").Navigation}} options
   */
  constructor(options) {
    this.#options = options;
  }

  /** Lists the messages that a text finds, none where it is empty. @param {string} q */
  async search(q) {
    const asked = ++this.#asked;
    const found = q ? await this.#options.api.search(q, MOST).catch(() => null) : null;
    if (asked !== this.#asked) return;
    const hits = found?.results ?? [];
    this.#list.hidden = !hits.length;
    this.#list.replaceChildren(
      ...(hits.length ? [h("li.day", { text: "In messages" })] : []),
      ...hits.map((hit, at) => this.#hit(hit, at)),
    );
  }

  /** Tab reaches the first one, the arrows the others. @param {any} hit @param {number} at */
  #hit({ sessionId, title, seq, messageId, snippet }, at) {
    const address = `${under(`/s/${sessionId}`)}#m${seq}`;
    const link = h(
      "a.found",
      { href: address, tabindex: at ? -1 : 0 },
      h("span.row-title", { text: visible(title || "New chat") }),
      h(
        "span.found-text",
        {},
        ...snippet.map(({ text, isMatch }) =>
          isMatch ? h("mark", { text: visible(text) }) : visible(text),
        ),
      ),
    );
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
      event.preventDefault();
      this.#options.navigation.open(sessionId);
      history.replaceState({}, "", address);
      goToMessage(this.#options.conversation, messageId);
    });
    return h("li", {}, link);
  }
}
