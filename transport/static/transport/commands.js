/**
 * POST commands: one request, one deadline, one shape of answer.
 *
 * Nothing is retried here: only the outbox retries, and only `send`.
 *
 * @typedef {{status: number, body: any, retryAfterMs: number}} Answer body is null unless it was JSON
 */

import { retryAfterMs, systemClock } from "./clock.js";

/**
 * @param {{fetch: typeof globalThis.fetch, csrf: () => string, base?: string, timeoutMs: number,
 *   clock?: import("./clock.js").Clock}} options timeoutMs: for one POST, its answer included
 * @returns {(name: string, body: object, connectionId?: string|null, init?: {keepalive?: boolean}) => Promise<Answer>}
 *   rejects when the network fails or the deadline passes
 */
export function createCommands({
  fetch,
  csrf,
  base = "/api/chat/",
  timeoutMs,
  clock = systemClock,
}) {
  return async function command(name, body, connectionId = null, { keepalive = false } = {}) {
    const abort = new AbortController();
    const timer = clock.setTimeout(
      () => abort.abort(new DOMException("no answer in time", "TimeoutError")),
      timeoutMs,
    );
    try {
      /** @type {Record<string, string>} */
      const headers = {
        "Content-Type": "application/json",
        Accept: "application/json",
        "X-CSRFToken": csrf(),
      };
      if (connectionId) headers["X-Connection-ID"] = connectionId;
      const response = await fetch(base + name, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
        signal: abort.signal,
        credentials: "same-origin",
        keepalive,
      });
      return await answerOf(response, clock.now());
    } finally {
      clock.clearTimeout(timer);
    }
  };
}

/** @param {Response} response @param {number} now @returns {Promise<Answer>} */
export async function answerOf(response, now) {
  const text = await response.text();
  let body = /** @type {any} */ (null);
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    body = null; // a proxy's HTML page: the status alone counts
  }
  const told = response.headers.get("Retry-After") ?? body?.retryAfter;
  return { status: response.status, body, retryAfterMs: retryAfterMs(told, now) };
}
