/** The archived chats: a list with the way back, and the way out of it for ever. */

import { Arming } from "../cards/arming.js";
import { h } from "../elements/dom.js";
import { refocus } from "../elements/refocus.js";
import { agoText } from "../words/times.js";
import { visible } from "../words/visible.js";

const PAGE = 50;

/**
 * @param {{api: any, sidebar: import("./sidebar.js").Sidebar, navigation: import("../page/navigation.js").Navigation,
 *   conversation: import("../conversation.js").Conversation}} options
 */
export async function showArchived({ api, sidebar, navigation, conversation }) {
  const list = h("ul.archived");
  const note = h("p.muted", { role: "status" });
  const more = h("button.link", { type: "button", text: "Older chats", hidden: true });
  const close = h("button", { type: "button", text: "Close" });
  const dialog = /** @type {HTMLDialogElement} */ (
    h(
      "dialog",
      { "aria-label": "Archived chats" },
      ...[
        h("h2", { text: "Archived chats" }),
        list,
        note,
        more,
        h("div.dialog-buttons", {}, close),
      ],
    )
  );
  close.addEventListener("click", () => dialog.close());
  /** @type {HTMLElement|null} the button that deletes with the next press, when it is armed */
  let last = null;
  const end = new AbortController();
  const arm = (/** @type {boolean} */ isArmed) =>
    last?.setAttribute("aria-disabled", String(!isArmed));
  const arming = new Arming(dialog, arm, end.signal);
  dialog.addEventListener("close", () => {
    arming.guard(null);
    end.abort();
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();

  let before = null;
  const load = async () => {
    try {
      const page = await api.sessions({ state: "archived", before, limit: PAGE });
      before = page.nextBefore;
      list.append(...page.sessions.map((row) => item(row)));
      more.hidden = !page.hasMore;
      note.textContent = list.children.length ? "" : "No chat is archived.";
    } catch (failure) {
      note.textContent = `The list could not be loaded. ${messageOf(failure)}`;
    }
  };
  more.addEventListener("click", load);

  /** @param {any} row */
  function item({ sessionId, title, lastActivityAt }) {
    const name = visible(title || "New chat");
    const restore = h("button", { type: "button", text: "Restore" });
    const remove = /** @type {HTMLButtonElement} */ (
      h("button.danger", { type: "button", text: "Delete …" })
    );
    const element = h(
      "li",
      {},
      h("span.row-title", { text: name }),
      h("span.muted", { text: agoText(lastActivityAt, Date.now()) }),
      restore,
      remove,
    );
    const done = (deed) => {
      element.remove();
      sidebar.refresh();
      note.textContent = `${name}: ${deed}.`;
    };
    const ask = () => {
      if (last) last.textContent = "Delete …";
      last?.removeAttribute("aria-disabled");
      last = remove;
      remove.textContent = "Delete permanently";
      note.textContent = `${name}: its log, files and drafts will be gone. Press again to delete it.`;
      arming.guard(remove);
    };
    restore.addEventListener("click", async () => {
      try {
        await api.restore(sessionId);
        done("restored");
        dialog.close();
        navigation.open(sessionId);
        refocus(conversation.composer);
      } catch (failure) {
        note.textContent = `It was not restored. ${messageOf(failure)}`;
      }
    });
    remove.addEventListener("click", async ({ detail }) => {
      if (last !== remove) return ask();
      if (!arming.takeDecision() || detail > 1) return;
      remove.disabled = true;
      try {
        await api.erase(sessionId);
        const next = element.nextElementSibling ?? element.previousElementSibling;
        done("deleted permanently");
        (next?.querySelector("button") ?? close).focus();
      } catch (failure) {
        remove.disabled = false;
        remove.focus();
        note.textContent = `It was not deleted. ${messageOf(failure)}`;
      }
    });
    return element;
  }

  await load();
}

function messageOf(failure) {
  return failure instanceof Error ? failure.message : String(failure);
}
