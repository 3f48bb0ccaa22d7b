/** The parts that only a chat with a session needs: its answers, its cards, its lists. They are loaded once. */

import { h } from "../elements/dom.js";
import { toast } from "../dialogs/toasts.js";

/** A load that failed is tried again so much later. */
const AGAIN_MS = 1_000;
const SHEET = "chat.css";

export class ChatParts {
  #options;
  #chat;
  /** @type {import("./chat-view.js").ChatView|null} */
  #view = null;

  /**
   * @param {Omit<ConstructorParameters<typeof import("./chat-view.js").ChatView>[0], "composer">} options
   * @param {import("../conversation.js").Conversation} chat
   */
  constructor(options, chat) {
    this.#options = options;
    this.#chat = chat;
  }

  get isLoaded() {
    return this.#view !== null;
  }

  get history() {
    return this.#view?.history ?? null;
  }

  async load() {
    if (this.#view) return;
    const { ChatView, createItem } = await loadChatParts();
    if (this.#view) return;
    this.#chat.transcript.createItem = createItem;
    this.#view = new ChatView({ ...this.#options, composer: this.#chat.composer });
    this.#options.changed();
  }

  /** @param {import("../log/fold.js").Snapshot} snapshot @param {number} now the server's time */
  draw(snapshot, now) {
    this.#view?.draw(snapshot, now);
  }

  /** The clocks, once a second. @param {number} now the server's time */
  tick(now) {
    this.#view?.tick(now);
  }

  /** Goes to the open permission request. */
  focusRequest() {
    this.#view?.focusRequest();
  }

  /** The files that a prompt names. @param {string} text @returns {string[]} */
  mentionsIn(text) {
    return this.#view?.mentionsIn(text) ?? [];
  }

  /** Says for a screen reader what a frame of the shown chat tells. @type {typeof import("../announcing/speaker.js").speak} */
  speak(...told) {
    this.#view?.speak(...told);
  }
}

/** @type {ReturnType<typeof load>|null} */
let loading = null;

export function loadChatParts() {
  return (loading ??= load());
}

async function load() {
  /** @type {(() => void)|null} takes the note off the screen */
  let told = null;
  for (;;) {
    try {
      const [{ ChatView }, { createItem }, { showLogIn }] = [
        await import("./chat-view.js"),
        await import("../transcript/item-views.js"),
        await import("../cards/log-in-note.js"),
      ];
      await sheet();
      told?.();
      return { ChatView, createItem, showLogIn };
    } catch {
      told ??= toast("A part of this page did not load.", RELOAD, true);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

const RELOAD = { label: "Reload", run: () => location.reload() };

/** The style sheet of a chat; a page of a chat brings it along. */
async function sheet() {
  const [page, held] = document.querySelectorAll('link[rel="stylesheet"]');
  if (held) return;
  const href = /** @type {HTMLLinkElement} */ (page).href.replace(/[^/]+$/, SHEET);
  const link = h("link", { rel: "stylesheet", href });
  await new Promise((resolve) => {
    link.onload = link.onerror = resolve;
    document.head.append(link);
  });
}
