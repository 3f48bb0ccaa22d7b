/**
 * The dialogs between this page and a terminal: chats to continue here, and the command for the way back.
 *
 * @typedef {{agentSessionId: string, title: string, cwd: string, updatedAt: string|null, sessionId: string|null,
 *   isOpen: boolean}} Chat
 */

import { copyButton } from "../elements/copy.js";
import { h } from "../elements/dom.js";
import { agoText } from "../words/times.js";
import { visible } from "../words/visible.js";

const PAGE = 100;

/** A dialog that is gone once it is closed. @param {string} title */
function dialogOf(title, ...parts) {
  const close = h("button", { type: "button", text: "Close", onclick: () => dialog.close() });
  const dialog = /** @type {HTMLDialogElement} */ (
    h(
      "dialog",
      { "aria-label": title, onclose: () => dialog.remove() },
      h("h2", { text: title }),
      ...parts,
      h("div.dialog-buttons", {}, close),
    )
  );
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** @param {unknown} failure */
function wordsOf(failure) {
  return failure instanceof Error ? failure.message : String(failure);
}

/**
 * @param {{api: any, choice: {agent: string|null, cwd: string|null, projectId?: string|null},
 *   open: (id: string) => void}} options
 */
export async function showChats({ api, choice, open }) {
  const list = h("ul.folder-list", { "aria-label": "Chats", "aria-busy": "true" });
  const note = h("p.muted", { role: "status", text: "Asking the agent …" });
  const dialog = dialogOf("Chats from the terminal", note, list);

  /** @param {Chat} chat */
  async function take(chat) {
    if (list.getAttribute("aria-busy") === "true") return;
    list.setAttribute("aria-busy", "true");
    note.textContent = "The agent tells its earlier messages once more …";
    try {
      const { sessionId } = chat.sessionId
        ? chat
        : await api.importChat(choice.agent, chat.agentSessionId, chat.cwd);
      if (!dialog.isConnected) return;
      dialog.close();
      open(sessionId);
    } catch (failure) {
      note.textContent = wordsOf(failure);
    } finally {
      list.setAttribute("aria-busy", "false");
    }
  }

  /** @param {number} offset */
  async function load(offset) {
    list.setAttribute("aria-busy", "true");
    try {
      const page = await api.chats(choice.agent, { ...choice, offset, limit: PAGE });
      list.querySelector(".more")?.remove();
      const rows = page.sessions.map((chat) => rowOf(chat, take));
      list.append(...rows);
      if (page.hasMore) list.append(more(offset + PAGE));
      note.textContent = list.children.length
        ? "Press one to continue it here. Leave it in the terminal first."
        : (page.whyNot ?? "The agent has no chats in this folder.");
      rows[0]?.querySelector("button")?.focus();
    } catch (failure) {
      note.textContent = wordsOf(failure);
    } finally {
      list.setAttribute("aria-busy", "false");
    }
  }

  /** @param {number} offset */
  const more = (offset) =>
    h(
      "li.more",
      {},
      h("button.folder-row", { type: "button", text: "More chats", onclick: () => load(offset) }),
    );

  if (choice.cwd || choice.projectId) return load(0);
  list.hidden = true;
  note.textContent = "Choose a folder first: its chats are listed here.";
}

/** @param {Chat} chat @param {(chat: Chat) => void} take */
function rowOf(chat, take) {
  const age = agoText(chat.updatedAt, Date.now());
  const mark = chat.isOpen ? "in a terminal" : chat.sessionId ? "here already" : "";
  return h(
    "li",
    {},
    h(
      "button.folder-row",
      { type: "button", onclick: () => take(chat) },
      h("span.folder-name", { text: visible(chat.title || "Without a title"), dir: "auto" }),
      h("span.folder-branch", { text: [mark, age].filter(Boolean).join(" · ") }),
    ),
  );
}

/** @param {{api: any, sessionId: string}} options */
export async function showCommand({ api, sessionId }) {
  const note = h("p.muted", { role: "status", text: "Asking the server …" });
  const place = h("div.code");
  dialogOf("Continue in a terminal", note, place);
  try {
    const { command, warning } = await api.inTerminal(sessionId);
    if (command) {
      place.append(h("pre", {}, h("code", { text: command, translate: "no" })));
      place.append(copyButton("the command", () => command));
    }
    note.textContent = command
      ? (warning ?? "Run it on the server, as the user that agents run as.")
      : "This agent names no command for it, or has not begun this chat yet.";
  } catch (failure) {
    note.textContent = wordsOf(failure);
  }
}
