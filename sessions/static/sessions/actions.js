/** What a person asks of a session besides prompts: sent once; a failure is said, not repeated. */

import { decidedText } from "./text.js";
import { toast } from "./toasts.js";

/**
 * @param {{command: Function, connectionId: () => string|null, api: any, signedOut: () => void}} options
 */
export function createActions({ command, connectionId, api, signedOut }) {
  /** expected: error codes that the caller tells in words of its own. */
  async function ask(name, body, what, expected = []) {
    try {
      const answer = await command(name, body, connectionId());
      if (answer.status === 401 || answer.body?.code === "csrf_failed") signedOut();
      if (answer.status < 400) return answer;
      if (!expected.includes(answer.body?.code))
        toast(`${what} failed: ${answer.body?.error ?? `status ${answer.status}`}`);
      return answer;
    } catch {
      toast(`${what} failed: the server cannot be reached.`);
      return null;
    }
  }

  async function stopBy(name, body, what) {
    const answer = await ask(name, body, what);
    if (!answer || answer.status >= 400) return false;
    if (answer.body?.code !== "not_running") return true; // what failed stands in the log, and goes on by itself
    toast("Nothing was running any more.");
    return false;
  }

  return {
    /** @param {string} sessionId @param {string|null} turnId the turn that is meant, null for a prompt that waits for its agent */
    interrupt: (sessionId, turnId) =>
      stopBy("interrupt", turnId ? { sessionId, turnId } : { sessionId }, "Stopping the answer"),
    stop: (sessionId) => stopBy("stop", { sessionId }, "Stopping the agent"),
    close: (sessionId) => ask("close", { sessionId }, "Closing the agent"),

    async answer(sessionId, { permId, options }, optionId) {
      const answer = await ask("permission", { sessionId, permId, optionId }, "The decision", [
        "permission_resolved",
      ]);
      if (answer?.body?.code === "permission_resolved") toast(decidedText(answer.body, options));
    },

    async setMode(sessionId, mode, failed) {
      const answer = await ask("mode", { sessionId, mode }, "Changing the mode");
      if (!answer || answer.status >= 400) failed();
    },

    rename: (sessionId, title) => api.rename(sessionId, title),
    archive: (sessionId) => api.archive(sessionId),
  };
}
