/** The reading API: sessions, agents and folders (docs/reference/http-api.md). */

import { isForeign, jsonOf } from "../../transport/commands.js";
import { isOurFile } from "./requests.js";

/** An agent starts for it, and tells a whole chat. */
const AGENT_MS = 90_000;
const NOT_MODIFIED = 304;

export class ReadError extends Error {
  /** @param {number} status @param {any} body @param {boolean} isForeign */
  constructor(status, body, isForeign) {
    super(
      isForeign
        ? "Another server answered in Backstay’s place."
        : (body?.error ?? `The server answered with status ${status}.`),
    );
    this.status = status;
    this.code = body?.code ?? null;
    this.body = body;
  }
}

/**
 * @param {{fetch: typeof globalThis.fetch, csrf: () => string, timeoutMs?: number,
 *   onAnswer?: (answer: {isForeign: boolean, body: any}) => void}} options
 */
export function createApi({ fetch, csrf, onAnswer = () => {}, timeoutMs = 15_000 }) {
  /**
   * @param {string} method @param {string} path
   * @param {string} field one that every good answer has
   * @param {object|null} [body] @param {number} [waitMs] the longest wait for the answer
   * @param {{tag: string, data: any}|null} [held] the last answer, which the server does not send again
   */
  async function request(method, path, field, body = null, waitMs = timeoutMs, held = null) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "application/json" };
    if (method !== "GET") headers["X-CSRFToken"] = csrf();
    if (body) headers["Content-Type"] = "application/json";
    if (held?.tag) headers["If-None-Match"] = held.tag;
    const response = await fetch(path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      credentials: "same-origin",
      redirect: "manual", // the server sends none: it is a proxy that sends the page elsewhere
      signal: AbortSignal.timeout(waitMs),
    });
    const isHeld = held !== null && held.tag !== "" && response.status === NOT_MODIFIED;
    const text = await response.text();
    const data = isHeld ? held.data : jsonOf(text);
    const isOurs =
      response.ok || isHeld ? data !== null && field in data : typeof data?.code === "string";
    const answer = {
      isForeign: isForeign({ status: isHeld ? 200 : response.status, isOurs }),
      body: data,
    };
    onAnswer(answer);
    if (isHeld) return data;
    if (!response.ok || !isOurs) throw new ReadError(response.status, data, answer.isForeign);
    if (held) Object.assign(held, { tag: response.headers.get("ETag") ?? "", data });
    return data;
  }
  /** A file: a link could not carry the page's keys. @param {string} path */
  async function file(path) {
    const response = await fetch(path, { credentials: "same-origin", redirect: "manual" });
    if (!isOurFile(response)) {
      const data = response.ok ? null : jsonOf(await response.text());
      throw new ReadError(response.status, data, data === null);
    }
    const told = response.headers.get("Content-Disposition") ?? "";
    const name = /filename="([^"]+)"/.exec(told)?.[1] ?? "chat";
    return { name, content: await response.blob() };
  }
  /** The first page of the list: it is asked for again and again. */
  const listed = { tag: "", data: /** @type {any} */ (null) };
  const get = (path, field) => request("GET", path, field);
  const session = (id) => `/api/sessions/${encodeURIComponent(id)}`;

  return {
    agents: () => get("/api/agents", "agents"),
    offer: (agent, projectId) => get(`/api/agents/offer?${query({ agent, projectId })}`, "options"),
    folders: (path, offset = 0) => get(`/api/folders?${query({ path, offset })}`, "folders"),
    makeFolder: (path) => request("POST", "/api/folders", "ok", { path }),
    clone: (url, path) => request("POST", "/api/clones", "clone", { url, path }),
    cloneState: (id) => get(`/api/clones/${encodeURIComponent(id)}`, "state"),
    cancelClone: (id) => request("DELETE", `/api/clones/${encodeURIComponent(id)}`, "ok"),
    worktree: (id) => get(`${session(id)}/worktree`, "branch"),
    endWorktree: (id, act, body = {}) =>
      request("POST", `${session(id)}/worktree/${act}`, "ok", body),
    projects: () => get("/api/projects", "projects"),
    branches: (id) => get(`/api/projects/${id}/branches`, "branches"),
    makeProject: (folder) => request("POST", "/api/projects", "project", { folder }),
    changeProject: (id, change) =>
      request("PATCH", `/api/projects/${encodeURIComponent(id)}`, "project", change),
    chats: (agent, { cwd = null, projectId = null, offset, limit }) =>
      request(
        "GET",
        `/api/agents/${encodeURIComponent(agent)}/sessions?${query({ ...(projectId ? { projectId } : { cwd }), offset, limit })}`,
        "sessions",
        null,
        AGENT_MS,
      ),
    importChat: (agent, agentSessionId, cwd) =>
      request(
        "POST",
        "/api/sessions/import",
        "sessionId",
        { agent, agentSessionId, cwd },
        AGENT_MS,
      ),
    inTerminal: (id) => get(`${session(id)}/terminal`, "isOpen"),
    sessions: ({ q = "", state = "", before = null, limit = 50 } = {}) =>
      request(
        "GET",
        `/api/sessions?${query({ q, state, before, limit })}`,
        "sessions",
        null,
        timeoutMs,
        q || state || before ? null : listed,
      ),
    messages: (id, { before, limit }) =>
      get(`${session(id)}/messages?${query({ before, limit })}`, "messages"),
    events: (id, { after, upto, limit }) =>
      get(`${session(id)}/events?${query({ after, upto, limit })}`, "events"),
    block: (id, blockId, { part, start }) =>
      get(`${session(id)}/blocks/${encodeURIComponent(blockId)}?${query({ part, start })}`, "text"),
    /** to: the seq of a prompt, for the changes since then */
    changes: (id, { since = "chat", path = "", to = 0 }) =>
      get(`${session(id)}/changes?${query({ since, path, ...(to && { to }) })}`, "basis"),
    discard: (id, { path, since, hunk }) =>
      request("POST", `${session(id)}/changes/discard`, "ok", { path, since, hunk }),
    stage: (id, path, isWanted) =>
      request("POST", `${session(id)}/changes/${isWanted ? "stage" : "unstage"}`, "ok", {
        paths: [path],
      }),
    commit: (id, message) => request("POST", `${session(id)}/changes/commit`, "ok", { message }),
    files: (id, path, offset = 0) =>
      get(`${session(id)}/files?${query({ path, offset })}`, "files"),
    file: (id, path) => get(`${session(id)}/file?${query({ path })}`, "kind"),
    fileBytes: (id, path) => file(`${session(id)}/file?${query({ path, raw: true })}`),
    fileAddress: (id, path) => `${session(id)}/file?${query({ path, raw: true })}`,
    colours: (path, texts) => request("POST", "/api/colours", "html", { path, texts }),
    suggestRule: (sessionId, permId) =>
      request("POST", "/api/rules/suggest", "pattern", { sessionId, permId }),
    makeRule: (rule) => request("POST", "/api/rules", "rule", rule),
    paths: (id, q, limit) => get(`${session(id)}/paths?${query({ q, limit })}`, "paths"),
    personal: (id) => get(session(id), "personal"),
    putDraft: (id, draft) => request("PUT", `${session(id)}/draft`, "ok", draft),
    comments: (id) => get(`${session(id)}/comments`, "comments"),
    keepComment: (id, { id: name, ...comment }) =>
      request("PUT", `${session(id)}/comments/${encodeURIComponent(name)}`, "ok", comment),
    dropComment: (id, name) =>
      request("DELETE", `${session(id)}/comments/${encodeURIComponent(name)}`, "ok"),
    markRead: (id, seq) => request("PUT", `${session(id)}/read`, "ok", { seq }),
    pin: (id, pinned) => request("PUT", `${session(id)}/pin`, "ok", { pinned }),
    rename: (id, title) => request("PATCH", session(id), "ok", { title }),
    nameIt: (id) => request("POST", `${session(id)}/name`, "session"),
    wait: (id, waitSeconds) => request("PATCH", session(id), "ok", { waitSeconds }),
    folderPaths: (path, projectId, q, limit) =>
      get(
        `/api/folders/paths?${query({ ...(projectId ? { projectId } : { path }), q, limit })}`,
        "paths",
      ),
    history: (of) => get(`/api/history?${query(of)}`, "prompts"),
    find: (id, q, before) =>
      get(`${session(id)}/search?${query({ q, before, limit: 100 })}`, "results"),
    search: (q, limit) => get(`/api/search?${query({ q, limit })}`, "results"),
    restore: (id) => request("POST", `${session(id)}/restore`, "ok"),
    erase: (id) => request("DELETE", `${session(id)}?permanently=true`, "ok"),
    archive: (id) => request("DELETE", session(id), "ok"),
    exported: (id, format) => file(`${session(id)}/export?${query({ format })}`),
  };
}

/** @param {Record<string, any>} params those that are null or empty are left out */
function query(params) {
  const given = Object.entries(params).filter(([, value]) => value !== null && value !== "");
  return new URLSearchParams(given).toString();
}
