/** The parts around the prompt that come from the agent: its questions, settings and commands. */

import { AgentOptions } from "../composer/agent-options.js";
import { CommandHints } from "../composer/command-hints.js";
import { byId } from "../elements/dom.js";
import { LogInBar } from "../cards/log-in-bar.js";
import { PathHints } from "../composer/path-hints.js";
import { Questions } from "../cards/questions.js";

export class AgentParts {
  #questions;
  #options;
  #commands;
  #paths;
  #logIn = new LogInBar();

  /**
   * Made before the composer: an Enter that takes a command sends nothing.
   * @param {any} actions @param {() => string|null} sessionId of the chat that is shown
   * @param {() => void} changed called when a choice has failed
   * @param {(id: string, part: string, start: number) => Promise<any>} load a piece of a part of a question
   * @param {(letters: string, limit: number) => Promise<string[]>} findPaths of files of the chat's folder
   */
  constructor(actions, sessionId, changed, load, findPaths) {
    const prompt = /** @type {HTMLTextAreaElement} */ (byId("prompt"));
    this.#questions = new Questions(byId("questions"), actions.answerQuestion, load);
    this.#options = new AgentOptions(byId("agent-options"), (id, value) =>
      actions.setOption(sessionId(), id, value, changed),
    );
    this.#commands = new CommandHints(prompt, byId("command-hints"));
    this.#paths = new PathHints(prompt, byId("path-hints"), findPaths);
  }

  /** @param {import("../log/fold.js").Snapshot} snapshot @param {number} now the server's time */
  draw({ sessionId, questions, options, commands, logIn, agent }, now) {
    this.#questions.draw(sessionId, questions, now);
    this.#options.draw(options);
    this.#commands.draw(commands);
    this.#logIn.draw(logIn ?? null, agent);
  }

  /** The files that a prompt names. @param {string} text */
  mentionsIn(text) {
    return this.#paths.namedIn(text);
  }

  /** The clocks, once a second. @param {number} now the server's time */
  tick(now) {
    this.#questions.tick(now);
  }
}
