/** The acts of a chat's menu: rename, pin, export, stop or close its agent, archive. */

import { askArchive, askBranch, askTitle } from "../dialogs/asking.js";
import { h } from "../elements/dom.js";
import { openMenu } from "../elements/menu.js";
import { refocus } from "../elements/refocus.js";
import { showCommand } from "./terminal-dialogs.js";
import { toast } from "../dialogs/toasts.js";
import { visible } from "../words/visible.js";

/** A browser takes the file over within this time. */
const KEPT_MS = 60_000;
/** The times that a request may wait; null: as the project says, else the server, 0: until it is answered. */
const WAITS = /** @type {[number|null, string][]} */ ([
  [null, "As the project or the server says"],
  [600, "10 minutes"],
  [3_600, "1 hour"],
  [28_800, "8 hours"],
  [0, "Until they are answered"],
]);

/**
 * @typedef {{actions: any, api: any, sidebar: import("../list/sidebar.js").Sidebar, store: import("../log/store.js").Store,
 *   conversation: import("../conversation.js").Conversation,
 *   navigation: import("../page/navigation.js").Navigation}} Options
 */

export class ChatActs {
  #options;

  /** @param {Options & {find: () => void}} options find: opens the box for the chat that is shown */
  constructor(options) {
    this.#options = options;
  }

  /** @param {import("../list/sidebar.js").Row} row @param {HTMLElement} anchor */
  open(row, anchor) {
    const { sessionId } = row;
    openMenu(anchor, [
      { label: "Rename", run: () => this.rename(row) },
      { label: "Name it for me", run: () => this.#nameIt(row) },
      { label: "Find in this chat", run: () => this.#find(sessionId) },
      { label: "How long requests wait …", run: () => this.#openWaits(row, anchor) },
      { label: row.pinnedAt ? "Unpin" : "Pin", run: () => this.#pin(row) },
      {
        label: "Fork this chat",
        run: () => this.#fork(sessionId).catch((failure) => toast(failure.message)),
      },
      ...this.#worktrees(row),
      { label: "Export as Markdown", run: () => this.#export(sessionId, "md") },
      {
        label: "Export all events (JSON lines)",
        run: () => this.#export(sessionId, "jsonl"),
      },
      {
        label: "Continue in a terminal …",
        run: () => showCommand({ api: this.#options.api, sessionId }),
      },
      ...this.#endings(row),
      { label: "Archive", danger: true, run: () => this.#archive(row) },
    ]);
  }

  /** A folder of a chat's own is no repository of a person. @param {import("../list/sidebar.js").Row} row */
  #worktrees({ projectId, sessionId }) {
    if (!projectId) return [];
    const run = () => askBranch((branch) => this.#fork(sessionId, branch));
    return [{ label: "Fork into a worktree …", run }];
  }

  /** Continues all of a chat in another one; with a branch, in a worktree. */
  async #fork(sessionId, branch = "") {
    const { actions, api, sidebar, navigation } = this.#options;
    const chat = await api.personal(sessionId).catch(() => null);
    const how = { id: "fork", files: false, chat: false, branch };
    const answer = chat && (await actions.goBack(sessionId, chat.head, how));
    if (!answer?.body?.sessionId) {
      const why = answer?.body?.error ?? "The server cannot be reached.";
      throw new Error(`The chat was not forked. ${why}`);
    }
    await sidebar.refresh();
    navigation.open(answer.body.sessionId);
  }

  #find(sessionId) {
    const { conversation, navigation, find } = this.#options;
    if (sessionId !== conversation.sessionId) navigation.open(sessionId);
    find();
  }

  /** The time of later requests; the chat tells of the change. */
  #openWaits({ sessionId, waitSeconds = null }, anchor) {
    const { actions, sidebar } = this.#options;
    const choose = async (seconds) => {
      try {
        await actions.wait(sessionId, seconds);
        sidebar.patch(sessionId, { waitSeconds: seconds });
      } catch (failure) {
        toast(`The time was not changed. ${failure instanceof Error ? failure.message : failure}`);
      }
    };
    openMenu(
      anchor,
      WAITS.map(([seconds, label]) => ({
        label: seconds === waitSeconds ? `${label} ✓` : label,
        run: () => choose(seconds),
      })),
    );
  }

  #endings({ sessionId, state, runState }) {
    const { actions } = this.#options;
    if (state === "ENDED") return [];
    return runState === "idle"
      ? [{ label: "End the agent process (the chat stays)", run: () => actions.close(sessionId) }]
      : [{ label: "Stop the agent now", run: () => actions.stop(sessionId) }];
  }

  async #export(sessionId, format) {
    try {
      const { name, content } = await this.#options.api.exported(sessionId, format);
      const href = URL.createObjectURL(content);
      h("a", { href, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(href), KEPT_MS);
    } catch (failure) {
      toast(`The chat was not exported. ${failure instanceof Error ? failure.message : failure}`);
    }
  }

  /** @param {import("../list/sidebar.js").Row} row */
  async #pin({ sessionId, pinnedAt }) {
    const { api, sidebar } = this.#options;
    try {
      await api.pin(sessionId, !pinnedAt);
    } catch (failure) {
      toast(`The chat was not pinned. ${failure instanceof Error ? failure.message : failure}`);
    }
    await sidebar.refresh();
  }

  /** @param {import("../list/sidebar.js").Row} row */
  rename({ sessionId, title }) {
    const { actions, sidebar } = this.#options;
    askTitle(title, async (name) => {
      await actions.rename(sessionId, name);
      sidebar.patch(sessionId, { title: name });
    });
  }

  /** Its first prompt or answer names it. @param {import("../list/sidebar.js").Row} row */
  async #nameIt({ sessionId }) {
    const { api, sidebar } = this.#options;
    try {
      const { title } = (await api.nameIt(sessionId)).session;
      sidebar.patch(sessionId, { title });
      toast(`The chat is named “${visible(title)}”.`);
    } catch (failure) {
      toast(`The chat was not named. ${failure instanceof Error ? failure.message : failure}`);
    }
  }

  async #restore(sessionId) {
    const { api, sidebar, conversation, navigation } = this.#options;
    try {
      await api.restore(sessionId);
      await sidebar.refresh();
      navigation.open(sessionId);
    } catch (failure) {
      toast(`The chat was not restored. ${failure instanceof Error ? failure.message : failure}`);
    }
    refocus(conversation.composer);
  }

  #archive({ sessionId, title }) {
    const { actions, sidebar, conversation, navigation } = this.#options;
    const done = () => {
      sidebar.remove(sessionId);
      toast("The chat is archived.", { label: "Undo", run: () => this.#restore(sessionId) });
      if (sessionId === conversation.sessionId) navigation.open(null);
      refocus(conversation.composer);
    };
    askArchive(visible(title || "New chat"), () => actions.archive(sessionId), done);
  }
}
