/** The reading API: sessions, agents and folders (docs/reference/http-api.md). */

import { isForeign, jsonOf } from "../transport/commands.js";

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
   * @param {object|null} [body]
   */
  async function request(method, path, field, body = null) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "application/json" };
    if (method !== "GET") headers["X-CSRFToken"] = csrf();
    if (body) headers["Content-Type"] = "application/json";
    const response = await fetch(path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      credentials: "same-origin",
      redirect: "manual", // the server sends none: it is a proxy that sends the page elsewhere
      signal: AbortSignal.timeout(timeoutMs),
    });
    const data = jsonOf(await response.text());
    const isOurs = response.ok ? data !== null && field in data : typeof data?.code === "string";
    const answer = { isForeign: isForeign({ status: response.status, isOurs }), body: data };
    onAnswer(answer);
    if (!response.ok || !isOurs) throw new ReadError(response.status, data, answer.isForeign);
    return data;
  }
  const get = (path, field) => request("GET", path, field);
  const session = (id) => `/api/sessions/${encodeURIComponent(id)}`;

  return {
    agents: () => get("/api/agents", "agents"),
    folders: (path, offset = 0) => get(`/api/folders?${query({ path, offset })}`, "folders"),
    makeFolder: (path) => request("POST", "/api/folders", "ok", { path }),
    sessions: ({ q = "", before = null, limit = 50 } = {}) =>
      get(`/api/sessions?${query({ q, before, limit })}`, "sessions"),
    messages: (id, { before, limit }) =>
      get(`${session(id)}/messages?${query({ before, limit })}`, "messages"),
    events: (id, { after, upto, limit }) =>
      get(`${session(id)}/events?${query({ after, upto, limit })}`, "events"),
    rename: (id, title) => request("PATCH", session(id), "ok", { title }),
    archive: (id) => request("DELETE", session(id), "ok"),
    exportUrl: (id, format) => `${session(id)}/export?${query({ format })}`,
  };
}

/** @param {Record<string, any>} params those that are null or empty are left out */
function query(params) {
  const given = Object.entries(params).filter(([, value]) => value !== null && value !== "");
  return new URLSearchParams(given).toString();
}
