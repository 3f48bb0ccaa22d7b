/**
 * POST commands: one request, one deadline, one shape of answer.
 *
 * Nothing is retried here: only the outbox retries, and only `send`.
 *
 * @typedef {{status: number, body: any, retryAfterMs: number, isOurs: boolean}} Answer body is null unless it
 *   was JSON; isOurs: the server itself has answered, and no proxy in its place
 */

import { retryAfterMs, systemClock } from "./clock.js";

/**
 * @param {{fetch: typeof globalThis.fetch, csrf: () => string, base?: string, timeoutMs: number,
 *   clock?: import("./clock.js").Clock, onAnswer?: (answer: Answer) => void}} options
 *   timeoutMs: for one POST, its answer included
 * @returns {(name: string, body: object, connectionId?: string|null, init?: {keepalive?: boolean}) => Promise<Answer>}
 *   rejects when the network fails or the deadline passes
 */
export function createCommands({
  fetch,
  csrf,
  base = "/api/chat/",
  timeoutMs,
  clock = systemClock,
  onAnswer = () => {},
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
        redirect: "manual", // the server sends none: it is a proxy that sends the page elsewhere
        keepalive,
      });
      const answer = await answerOf(response, clock.now());
      onAnswer(answer);
      return answer;
    } finally {
      clock.clearTimeout(timer);
    }
  };
}

/** @param {Response} response @param {number} now @returns {Promise<Answer>} */
export async function answerOf(response, now) {
  const body = jsonOf(await response.text());
  const told = response.headers.get("Retry-After") ?? body?.retryAfter;
  // Of the server's own answers 204 alone has no body: to ack and suspend.
  const isOurs = response.status === 204 || body?.ok === response.ok;
  return { status: response.status, body, retryAfterMs: retryAfterMs(told, now), isOurs };
}

/** @param {string} text @returns {any} null unless it is a JSON object */
export function jsonOf(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null; // a proxy's page
  }
}

/** @param {Answer} answer */
export function isDone({ status, isOurs }) {
  return isOurs && status >= 200 && status < 300;
}

/** Of the statuses of a gateway, those that the next try may not meet. */
const GATEWAY = new Set([408, 425, 429]);
/** Of the statuses of a refused command, those that another try may not meet again. */
const PASSING = new Set([401, 408, 425, 429]);

/** Whether the server itself has refused, finally: a gateway's page has no code. @param {Answer} answer */
export function isRefused({ status, body, isOurs }) {
  return isOurs && status >= 400 && status < 500 && Boolean(body?.code) && !PASSING.has(status);
}

/**
 * Whether something between the browser and the server has answered in its place, such as the log-in page of a
 * proxy. A gateway that cannot reach the server (5xx) is as good as no answer.
 * @param {{status: number, isOurs: boolean}} answer
 */
export function isForeign({ status, isOurs }) {
  return !isOurs && status < 500 && !GATEWAY.has(status);
}
