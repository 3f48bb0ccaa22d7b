/**
 * The keys of this browser's log-ins: kept by origin, where cookies are kept by host alone.
 *
 * A page that logs in makes a key and sends it with its form. Every later request carries it beside the cookie.
 */

import { randomId } from "../../transport/browser/ids.js";
import { keep, keptJson } from "../../transport/browser/storage.js";

/** A log-in that was not finished, or of a person who did not log out, leaves its key behind. */
const MOST = 3;

/** Two sites below different paths of one host share their storage. @param {string} base */
export const keysName = (base) => `backstay.keys${base}`;

/** @param {Storage|null} storage @param {string} base @returns {string} the keys, with spaces between */
export function keptKeys(storage, base) {
  const kept = keptJson(storage, keysName(base));
  return Array.isArray(kept) ? kept.join(" ") : "";
}

/**
 * Makes a key for a log-in that is about to be made.
 * @param {Storage|null} storage @param {string} base
 * @returns {string} empty where nothing can be kept
 */
export function makeKey(storage, base) {
  const key = `${randomId()}-${randomId()}`;
  const kept = keptKeys(storage, base).split(" ").filter(Boolean);
  const all = JSON.stringify([...kept, key].slice(-MOST));
  return keep(storage, keysName(base), all) ? key : "";
}
