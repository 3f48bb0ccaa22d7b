/** The words of the page for a state, a code or a number. Pure. */

import { visible } from "./visible.js";

/** The sentence for a turn's end under its answer; the usual ends need no words. */
const ENDINGS = {
  interrupted: "You interrupted this answer.",
  max_tokens: "The answer reached the model’s length limit.",
  refusal: "The agent declined to answer.",
  error: "The agent reported an error.",
  agent_crashed: "The agent crashed in mid-answer.",
  server_restart: "A server restart interrupted this answer. It was not run again.",
};

/** @param {string|null} stopReason @returns {string|null} */
export function endingOf(stopReason) {
  if (!stopReason || stopReason === "end_turn") return null;
  return ENDINGS[stopReason] ?? `The turn ended: ${stopReason}.`;
}

/**
 * Where a prompt is on its way: four steps, or where it stopped.
 * @param {string} state an outbox state or a promptState of the log
 * @param {string|null} [stopReason]
 * @param {boolean} [attempted] whether an earlier try of a prompt in the outbox may have reached the server
 * @param {number} [place] in the line before the agent, from 1 on
 * @returns {{step: number, label: string, kind: "way"|"done"|"stopped"|"withdrawn"}} step: 0 sending … 3 answered
 */
export function deliveryOf(state, stopReason = null, attempted = false, place = 1) {
  if (state === "queued") return { step: 0, label: "Waiting to send", kind: "way" };
  if (state === "sending") return { step: 0, label: "Sending", kind: "way" };
  if (state === "accepted") return { step: 1, label: placeText(place), kind: "way" };
  if (state === "dispatched") return { step: 2, label: "", kind: "way" }; // the answer shows it
  if (state === "answered") return { step: 3, label: "Answered", kind: "done" };
  if (state === "withdrawn") return { step: 1, label: "Taken back", kind: "withdrawn" };
  if (state === "unseen") return { step: 3, label: "Ended while you were away", kind: "done" };
  if (state === "evicted")
    return { step: 0, label: attempted ? "Perhaps not sent" : "Not sent", kind: "stopped" };
  if (stopReason === "server_restart")
    return { step: 2, label: "Interrupted by a restart", kind: "stopped" };
  if (stopReason === "agent_crashed")
    return { step: 2, label: "The agent crashed", kind: "stopped" };
  if (state === "interrupted") return { step: 2, label: "Interrupted", kind: "done" }; // as the person wished
  return { step: stopReason ? 2 : 0, label: "Failed", kind: "stopped" };
}

/** The first in the line is on its way to the agent. @param {number} place */
function placeText(place) {
  if (place < 2) return "Sent";
  return `Queued, ${ordinal(place)}`;
}

/** @param {number} n @returns {string} 2nd, 3rd, 11th */
function ordinal(n) {
  const endings = { one: "st", two: "nd", few: "rd", other: "th" };
  return `${n}${endings[ORDINALS.select(n)]}`;
}

const ORDINALS = new Intl.PluralRules("en", { type: "ordinal" });

/** A note on a prompt in the outbox. @param {any} entry @returns {string} empty when there is nothing */
export function outboxText({ state, unanswered, unwanted, error }) {
  if (unwanted) return "It is discarded, unless it has arrived.";
  if (state === "failed" || state === "evicted") return error ?? "";
  const isInDoubt = unanswered && state !== "accepted";
  return isInDoubt ? "No answer from the server yet. It is sent again, and arrives once." : "";
}

const RUN_STATES = { running: "Working", requires_action: "Waits for your decision" };

/**
 * @param {boolean} [isStale] the connection is down
 * @param {string} [downFor] since when, as 0:12
 * @returns {string} the activity of a session, for its dot and the header
 */
export function activityOf(state, runState, isStale = false, downFor = "") {
  if (isStale && runState === "running") return `Last seen at work${downFor && ` ${downFor} ago`}`;
  if (RUN_STATES[runState]) return RUN_STATES[runState];
  if (state === "STARTING" || state === "CREATED") return "Agent starting";
  if (state === "CLOSING") return "Agent finishing";
  return state === "ENDED" ? "Starts with your next prompt" : "Ready";
}

/** Why a permission cannot be answered any more. @param {any} resolved @param {any[]} options of the request */
export function decidedText({ decision, by, reason }, options) {
  if (reason !== "answered") return `It was too late: the request had ended (${reason}).`;
  const label = options.find((option) => option.id === decision)?.label ?? decision;
  return `It was decided first by ${by}: ${label}.`;
}

const LONG_CHARS = 1_500;
const LONG_LINES = 16;

/** A prompt that would fill the window. @param {string} text */
export function isLong(text) {
  return text.length > LONG_CHARS || text.split("\n", LONG_LINES + 1).length > LONG_LINES;
}

const NAMED = 2;

/** The line above the agents that cannot start here: the first two are named. @param {string[]} labels */
export function setUpText(labels) {
  return `Set up ${labels.slice(0, NAMED).join(", ")}${labels.length > NAMED ? ", …" : ""}`;
}

/** A prompt that will not go out by itself. @param {{state: string}} entry of the outbox */
export function isUnsent({ state }) {
  return state === "failed" || state === "evicted";
}

/** The place of a chat that cannot be shown. @param {string|null} code of the refusal */
export function goneText(code) {
  if (code === "too_many_watches") {
    return {
      title: "Too many chats are open",
      text: "This browser follows as many chats at once as the server allows. Close a tab of Backstay, then reload this one.",
    };
  }
  return {
    title: "This chat is not here",
    text: "It does not exist, or it belongs to another account.",
  };
}
