/** The reading API: sessions, agents and folders (docs/reference/http-api.md). */

export class ReadError extends Error {
  /** @param {number} status @param {any} body */
  constructor(status, body) {
    super(body?.error ?? `The server answered with status ${status}.`);
    this.status = status;
    this.code = body?.code ?? null;
  }
}

/**
 * @param {{fetch: typeof globalThis.fetch, csrf: () => string, signedOut: () => void, timeoutMs?: number}} options
 */
export function createApi({ fetch, csrf, signedOut, timeoutMs = 15_000 }) {
  /** @param {string} method @param {string} path @param {object|null} [body] */
  async function request(method, path, body = null) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "application/json" };
    if (method !== "GET") headers["X-CSRFToken"] = csrf();
    if (body) headers["Content-Type"] = "application/json";
    const response = await fetch(path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      credentials: "same-origin",
      signal: AbortSignal.timeout(timeoutMs),
    });
    const data = await response.json().catch(() => null);
    if (response.status === 401 || data?.code === "csrf_failed") signedOut();
    if (!response.ok) throw new ReadError(response.status, data);
    return data;
  }
  const query = (params) =>
    new URLSearchParams(
      Object.entries(params).filter(([, value]) => value !== null && value !== ""),
    ).toString();
  const session = (id) => `/api/sessions/${encodeURIComponent(id)}`;

  return {
    agents: () => request("GET", "/api/agents"),
    folders: (path, offset = 0) => request("GET", `/api/folders?${query({ path, offset })}`),
    makeFolder: (path) => request("POST", "/api/folders", { path }),
    sessions: ({ q = "", before = null, limit = 50 } = {}) =>
      request("GET", `/api/sessions?${query({ q, before, limit })}`),
    messages: (id, { before, limit }) =>
      request("GET", `${session(id)}/messages?${query({ before, limit })}`),
    events: (id, { after, upto, limit }) =>
      request("GET", `${session(id)}/events?${query({ after, upto, limit })}`),
    rename: (id, title) => request("PATCH", session(id), { title }),
    archive: (id) => request("DELETE", session(id)),
    exportUrl: (id, format) => `${session(id)}/export?${query({ format })}`,
  };
}
