/** The prompts that the arrows walk: the last ones of the project from the server, before them those of this chat. */

export class PastPrompts {
  #options;
  /** @type {string[]|null} of the project, oldest first; null: the server has not told them for this walk */
  #told = null;

  #shown;
  #pending;

  /**
   * @param {{api: any, store: {get: (id: string) => import("../log/store.js").View|null}, isStale: () => boolean,
   *   choice: () => {projectId: string|null}}} options choice: the project of a new chat
   * @param {{sessionId: string|null, history: {loadOlder: (id: string|null) => Promise<boolean>}|null}} shown the chat
   * @param {() => readonly {clientMsgId: string, text: string}[]} pending prompts that may not be in the log
   */
  constructor(options, shown, pending) {
    this.#options = options;
    this.#shown = shown;
    this.#pending = pending;
  }

  /** A walk begins. */
  async begin() {
    const { api, isStale, choice } = this.#options;
    const { sessionId } = this.#shown;
    const of = sessionId ? { sessionId } : { projectId: choice().projectId };
    const told = isStale() ? null : await api.history(of).catch(() => null);
    this.#told = told?.prompts ?? null;
  }

  /** @returns {string[]} oldest first */
  prompts() {
    const { messages = [] } = this.#options.store.get(this.#shown.sessionId ?? "")?.snapshot ?? {};
    const logged = messages.filter(({ role }) => role === "user");
    const inLog = new Set(logged.map(({ clientMsgId }) => clientMsgId));
    const unseen = this.#pending().filter(({ clientMsgId }) => !inLog.has(clientMsgId));
    const unsent = unseen.map(({ text }) => text);
    const told = this.#told?.filter((text) => !unsent.includes(text)) ?? [];
    const known = new Set([...told, ...(this.#told ? unsent : [])]);
    const own = logged.map(({ text }) => text).filter((text) => !known.has(text));
    return [...own, ...told, ...unsent];
  }

  /** Loads more of this chat. */
  async older() {
    const { history, sessionId } = this.#shown;
    return history !== null && history.loadOlder(sessionId);
  }
}
