/** The commands of a session besides prompts: each is sent once, and a failure is shown and not repeated. */

import { isDone } from "../transport/commands.js";
import { decidedText } from "./text.js";
import { toast } from "./toasts.js";

/**
 * @param {{command: ReturnType<typeof import("../transport/commands.js").createCommands>,
 *   connectionId: () => string|null, api: any}} options
 */
export function createActions({ command, connectionId, api }) {
  /**
   * @param {string} name @param {object} body @param {string} deed as the person knows it
   * @param {string[]} [expected] error codes that the caller tells in words of its own
   * @returns {Promise<import("../transport/commands.js").Answer|null>} null when the server cannot be reached
   */
  async function ask(name, body, deed, expected = []) {
    const answer = await command(name, body, connectionId()).catch(() => null);
    if (answer && (isDone(answer) || expected.includes(answer.body?.code))) return answer;
    toast(`${deed} failed: ${reasonOf(answer)}`);
    return answer;
  }

  /** @returns {Promise<boolean>} whether something ran that was stopped */
  async function stopBy(name, body, deed) {
    const answer = await ask(name, body, deed);
    if (!answer || !isDone(answer)) return false;
    if (answer.body.code !== "not_running") return true; // the log tells when a stop fails, and the server repeats it
    toast("Nothing was running any more.");
    return false;
  }

  return {
    /** @param {string} sessionId @param {string|null} turnId the turn that is meant, null for a prompt that waits for its agent */
    interrupt: (sessionId, turnId) =>
      stopBy("interrupt", turnId ? { sessionId, turnId } : { sessionId }, "Stopping the answer"),
    stop: (sessionId) => stopBy("stop", { sessionId }, "Stopping the agent"),
    close: (sessionId) => ask("close", { sessionId }, "Closing the agent"),

    /** @returns {Promise<boolean>} whether the request is decided now */
    async answer(sessionId, { permId, options }, optionId) {
      const body = { sessionId, permId, optionId };
      const answer = await ask("permission", body, "The decision", ["permission_resolved"]);
      const wasDecided = answer?.body?.code === "permission_resolved";
      if (wasDecided) toast(decidedText(answer.body, options));
      return wasDecided || (answer !== null && isDone(answer));
    },

    async setMode(sessionId, mode, failed) {
      const answer = await ask("mode", { sessionId, mode }, "Changing the mode");
      if (!answer || !isDone(answer)) failed();
    },

    rename: (sessionId, title) => api.rename(sessionId, title),
    archive: (sessionId) => api.archive(sessionId),
  };
}

/** @param {import("../transport/commands.js").Answer|null} answer */
function reasonOf(answer) {
  if (!answer) return "the server cannot be reached.";
  if (!answer.isOurs) return "another server answered in its place.";
  return answer.body.error ?? `status ${answer.status}`;
}
