/** Requests to the site: each carries the page's keys, and an answer for another user is not read. */

import { under } from "./paths.js";

/**
 * @param {{fetch: typeof globalThis.fetch, keys: () => string, userId: number, onOther: () => void}} options
 *   onOther: this browser is another user's by now
 * @returns {typeof globalThis.fetch}
 */
export function createRequest({ fetch, keys, userId, onOther }) {
  return async (path, init = {}) => {
    const headers = { ...init.headers, "X-Origin-Key": keys() };
    const response = await fetch(under(String(path)), { ...init, headers });
    const told = response.headers.get("X-User-ID");
    if (told !== null && told !== String(userId)) {
      onOther();
      throw new Error("This browser belongs to another user by now.");
    }
    return response;
  };
}

/** Whether a file is the server's own, which names its user, and no page of a proxy. @param {Response} response */
export function isOurFile({ ok, headers }) {
  return ok && headers.has("X-User-ID");
}
