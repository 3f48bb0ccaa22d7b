/** The commands of a session besides prompts: each is sent once, and a failure is shown and not repeated. */

import { isDone } from "../../transport/commands.js";
import { decidedText } from "../words/text.js";
import { toast } from "../dialogs/toasts.js";

/**
 * @param {{command: ReturnType<typeof import("../../transport/commands.js").createCommands>,
 *   connectionId: () => string|null, api: any}} options
 */
export function createActions({ command, connectionId, api }) {
  /**
   * @param {string} name @param {object} body @param {string} deed as the person knows it
   * @param {string[]} [expected] error codes that the caller tells in words of its own
   * @returns {Promise<import("../../transport/commands.js").Answer|null>} null when the server cannot be reached
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
    /** Stops the turn and continues with a prompt that waits. @param {string} sessionId @param {string|null} turnId */
    sendNow: (sessionId, turnId, clientMsgId) =>
      ask("interrupt", { sessionId, clientMsgId, ...(turnId && { turnId }) }, "Sending it now", [
        "dispatched", // the agent has it already
      ]),
    unqueue: (sessionId, clientMsgId) =>
      ask("unqueue", { sessionId, clientMsgId }, "Removing the prompt"),
    reorder: (sessionId, clientMsgIds) =>
      ask("reorder", { sessionId, clientMsgIds }, "Moving the prompt"),

    /** @returns {Promise<string>} "edited", the code of a refusal, or "" where the server was not reached */
    async editPrompt(sessionId, clientMsgId, text, version) {
      const body = { sessionId, clientMsgId, text, version };
      const answer = await ask("edit", body, "The edit", ["dispatched"]);
      return answer === null ? "" : isDone(answer) ? "edited" : (answer.body?.code ?? "");
    },

    /** The answer is told where it was asked. @param {string} sessionId @param {number} seq @param {{id: string, files: boolean, chat: boolean, branch?: string}} how */
    goBack: (sessionId, seq, { id, files, chat, branch = "" }) =>
      (id === "fork"
        ? command(
            "fork",
            { sessionId, at: seq, ...(branch && { worktree: { branch } }) },
            connectionId(),
          )
        : command("rewind", { sessionId, to: seq, files, chat }, connectionId())
      ).catch(() => null),
    undo: (sessionId, seq, what) =>
      ask("rewind", { sessionId, to: seq, files: false, chat: false, ...what }, "The undo"),
    stop: (sessionId) => stopBy("stop", { sessionId }, "Stopping the agent"),
    close: (sessionId) => ask("close", { sessionId }, "Closing the agent"),

    /** @returns {Promise<boolean>} whether the request is decided now */
    async answer(sessionId, { permId, options, digest }, optionId, message = "") {
      const body = { sessionId, permId, optionId, digest, ...(message && { message }) };
      const answer = await ask("permission", body, "The decision", ["permission_resolved"]);
      const wasDecided = answer?.body?.code === "permission_resolved";
      if (wasDecided) toast(decidedText(answer.body, options));
      return wasDecided || (answer !== null && isDone(answer));
    },

    /** @returns {Promise<import("../cards/card-forms.js").Suggestion>} */
    suggestRule: (sessionId, permId) =>
      api
        .suggestRule(sessionId, permId)
        .catch((error) => ({ kind: "", pattern: "", sentence: error.message })),

    /** @returns {Promise<import("../cards/card-forms.js").Problem>} */
    makeRule: (rule) =>
      api.makeRule(rule).then(
        () => ({ sentence: "", needsProof: false }),
        ({ message, code }) => ({
          sentence: message,
          needsProof: code === "confirmation_required",
        }),
      ),

    /** @returns {Promise<Record<string, string>>} the reasons against the values by their fields, none when it is answered now */
    async answerQuestion(sessionId, { questionId, digest }, action, values) {
      const given = action === "accept" ? values : null;
      const body = { sessionId, questionId, action, values: given, ...(digest && { digest }) };
      const expected = ["question_answered", "invalid_request"];
      const answer = await ask("answer", body, "The answer", expected);
      if (answer?.body?.code !== "invalid_request") return {};
      return answer.body.fields ?? { "": answer.body.error };
    },

    async setOption(sessionId, optionId, value, failed) {
      const answer = await ask("option", { sessionId, optionId, value }, "Changing the setting");
      if (!answer || !isDone(answer)) failed();
    },

    async setMode(sessionId, mode, failed) {
      const answer = await ask("mode", { sessionId, mode }, "Changing the mode");
      if (!answer || !isDone(answer)) failed();
    },

    rename: (sessionId, title) => api.rename(sessionId, title),
    wait: (sessionId, seconds) => api.wait(sessionId, seconds),
    archive: (sessionId) => api.archive(sessionId),
  };
}

/** @param {import("../../transport/commands.js").Answer|null} answer */
function reasonOf(answer) {
  if (!answer) return "the server cannot be reached.";
  if (!answer.isOurs) return "another server answered in its place.";
  return answer.body.error ?? `status ${answer.status}`;
}
