/** The words of the page for its connection and its log-in. Pure. */

import { clockText } from "./times.js";

/** A wait that is over in a moment needs no button: it would be gone before it is reached. */
const WORTH_ASKING_MS = 1_500;

/** Whether a person may want the next try at once. @param {import("../../../../transport/static/transport/stream.js").StreamStatus} status */
export function canHurry(status, now) {
  if (status.state !== "waiting" || status.isForeign) return false; // a reload is offered then
  return status.retryAt !== null && status.retryAt - now > WORTH_ASKING_MS;
}

/**
 * The state in a word, and since when: a screen reader hears the word alone, once.
 * @param {import("../../../../transport/static/transport/stream.js").StreamStatus} status @param {boolean} online
 * @param {boolean} isUpToDate the chat that is shown stands on the screen up to its newest event
 * @returns {{kind: string, label: string, since?: string}}
 */
export function lineText(status, online, now, isUpToDate = true) {
  if (status.state === "live")
    return isUpToDate ? { kind: "live", label: "Live" } : { kind: "loading", label: "Loading" };
  if (status.state === "unauthorised") return { kind: "out", label: "Signed out" };
  if (status.isForeign) return { kind: "foreign", label: "Blocked" };
  const since = status.downSince ? `for ${downFor(status, now)}` : "";
  if (!online) return { kind: "offline", label: "Offline", since };
  if (!status.downSince && status.state === "connecting")
    return { kind: "connecting", label: "Connecting" };
  return { kind: "reconnecting", label: "Reconnecting", since };
}

/**
 * @param {import("../../../../transport/static/transport/stream.js").StreamStatus} status
 * @returns {string} since when it is down, as 0:12; empty while it is not
 */
export function downFor({ downSince }, now) {
  return downSince ? clockText(now - downSince) : "";
}

/** A shorter loss is over before a person has read of it. */
const STALE_AFTER_MS = 1_000;

/**
 * Whether the page may be out of date: nothing on it may say then that work continues.
 * @param {import("../../../../transport/static/transport/stream.js").StreamStatus} status @param {boolean} online
 */
export function isStale({ state, downSince }, online, now) {
  if (state === "live") return false;
  if (!online || state === "unauthorised") return true;
  return downSince === null ? state === "waiting" : now - downSince >= STALE_AFTER_MS;
}

/** The sentence of each standing but "in". @type {Record<string, string>} */
const STANDINGS = {
  out: "You are signed out.",
  token:
    "The server does not accept this page’s security token. Reload the page, and allow cookies for this address.",
  origin: "The server does not accept requests from this address.",
  foreign:
    "Another server answers in Backstay’s place, such as the log-in page of a proxy. Reload the page to see it.",
};

/**
 * @param {import("../page/standing.js").Standing} standing @param {string} told the server's own sentence
 * @param {number} pending prompts that wait @param {boolean} persistent whether the browser keeps them over a reload
 * @returns {string} empty when all is well
 */
export function standingText(standing, told, pending, persistent) {
  const prompts = pending === 1 ? "One prompt waits" : `${pending} prompts wait`;
  if (standing !== "in") {
    const sentence = (standing === "origin" && told) || STANDINGS[standing];
    return pending ? `${sentence} ${prompts} in this tab and will be sent then.` : sentence;
  }
  if (persistent || !pending) return "";
  return "This browser keeps no storage for the page: prompts that wait are lost when the tab is closed.";
}
