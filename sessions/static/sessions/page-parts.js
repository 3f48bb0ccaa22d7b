/** Parts that are made of many elements of the page. */

import { Attached } from "./composer/attached.js";
import { loadChatParts } from "./chat/chat-parts.js";
import { byId } from "./elements/dom.js";
import { DraftForm } from "./new-chat/draft.js";
import { goToAddress } from "./page/message-place.js";
import { openPathsBy } from "./elements/open-path.js";
import { notLoaded } from "./dialogs/toasts.js";

/**
 * The form of a new chat.
 * @param {any} api @param {import("./new-chat/projects.js").Projects} projects @param {Storage|null} storage
 */
export function draftForm(api, projects, storage) {
  return new DraftForm({ api, projects, storage });
}

/**
 * The files of the prompt that is being written.
 * @param {ConstructorParameters<typeof Attached>[1]} options
 */
export function attachedFiles(options) {
  return new Attached(
    {
      form: byId("composer"),
      text: /** @type {HTMLTextAreaElement} */ (byId("prompt")),
      list: byId("attached"),
      button: byId("attach"),
      input: /** @type {HTMLInputElement} */ (byId("attach-input")),
    },
    options,
  );
}

/**
 * The prompts that the arrows walk.
 * @param {ConstructorParameters<typeof import("./composer/past-prompts.js").PastPrompts>} parts
 */
export function pastPrompts(...parts) {
  /** @type {import("./composer/past-prompts.js").PastPrompts|null} */
  let made = null;
  return {
    begin: async () => {
      const loaded = await import("./composer/past-prompts.js").catch(notLoaded);
      if (loaded) await (made ??= new loaded.PastPrompts(...parts)).begin();
    },
    prompts: () => made?.prompts() ?? [],
    older: async () => made?.older() ?? false,
  };
}

/**
 * Brings the files of a prompt to the server; a prompt without any needs nothing for it.
 * @param {Parameters<typeof import("../transport/uploads.js").createUpload>[0]} options
 * @returns {ReturnType<typeof import("../transport/uploads.js").createUpload>}
 */
export function uploadBy(options) {
  return async (attachments) => {
    if (!attachments.length) return null;
    const { createUpload } = await import("../transport/uploads.js");
    return createUpload(options)(attachments);
  };
}

/**
 * The search, the keys of the list of chats, and the message that the address names.
 * @param {ConstructorParameters<typeof import("./list/search.js").Search>[0]} options
 */
export function bindSearch(options) {
  const field = byId("search");
  /** @type {import("./list/search.js").Search|null} */
  let made = null;
  const search = async () => {
    const loaded = await import("./list/search.js").catch(notLoaded);
    return loaded && (made ??= new loaded.Search(options));
  };
  field.addEventListener("input", async () => (await search())?.look());
  byId("sidebar").addEventListener("keydown", async (event) => {
    const { key, target } = event;
    const keys = target === field ? /^(ArrowDown|Enter|Escape)$/ : /^(Arrow.*|Home|End|Escape)$/;
    if (!keys.test(key) || event.isComposing || event.altKey || event.ctrlKey || event.metaKey)
      return;
    if (key === "Escape" && !field.value) return; // it closes the list on a small screen
    event.preventDefault();
    event.stopPropagation();
    (await search())?.press(key, target);
  });
  addEventListener("hashchange", () => goToAddress(options));
  goToAddress(options);
}

/**
 * The files and changes of the chat that is shown, and the comments on them.
 * @param {{api: any, storage: Storage|null, userId: string, session: () => string|null, submit: (text: string) => void}} options
 * @returns {{tick: () => Promise<void>, told: (sessionId: string, version: number) => Promise<void>}} tick: once a
 *   second, follows the chat that is shown; told: the version of its comments
 */
export function workParts({ api, storage, userId, session, submit }) {
  /** @type {Promise<import("./work/comments.js").Comments|null>|null} */
  let made = null;
  // Where they did not load, the next call asks again.
  const comments = () =>
    (made ??= makeComments({ api, storage, userId, session, submit }).catch(() => (made = null)));
  /** @type {import("./work/panel.js").WorkPanel|null} */
  let shown = null;
  const panel = async () => {
    const loaded = await import("./work/panel.js").catch(notLoaded);
    if (!loaded) return null;
    const written = await comments();
    if (!written) return notLoaded();
    return (shown ??= new loaded.WorkPanel({ api, comments: written, session, storage }));
  };
  for (const tab of /** @type {import("./work/panel.js").Tab[]} */ (["changes", "files"])) {
    byId(`open-${tab}`).addEventListener("click", async () => (await panel())?.press(tab));
  }
  openPathsBy(async (path, line) => (await panel())?.openFile(path, line));
  const tick = async () => {
    if (session()) (await comments())?.tick();
  };
  const told = async (/** @type {string} */ sessionId, /** @type {number} */ version) => {
    if (version) (await comments())?.told(sessionId, version);
  };
  return { tick, told };
}

/** @param {Omit<ConstructorParameters<typeof import("./work/comments.js").Comments>[0], "root">} options */
async function makeComments(options) {
  await loadChatParts(); // it tries again
  const { Comments } = await import("./work/comments.js");
  return new Comments({ root: byId("comments"), ...options });
}
