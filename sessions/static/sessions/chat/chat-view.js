/** The parts around a chat: requests and questions of its agent, prompts that wait, its worktree, its words. */

import { AgentParts } from "./agent-parts.js";
import { coloursBy } from "../diff/diff-colours.js";
import { byId } from "../elements/dom.js";
import { History } from "../log/history.js";
import { findPathsBy } from "../composer/path-hints.js";
import { Permissions } from "../cards/permissions.js";
import { speak } from "../announcing/speaker.js";
import { Steering } from "./steering.js";
import { stoppable } from "../log/store.js";
import { createWaiting } from "../composer/waiting-actions.js";
import { WorktreeButton } from "../work/worktree.js";

export class ChatView {
  speak = speak;
  history;
  #permissions;
  #agent;
  #waiting;
  #steering;

  /**
   * @param {{actions: any, store: import("../log/store.js").Store, composer: import("../composer/composer.js").Composer, api: any, historyPage: number,
   *   sessionId: () => string|null, shownRow: () => import("../list/sidebar-row.js").Row|null, changed: () => void,
   *   choice: () => {cwd: string|null, projectId: string|null}, projects: import("../new-chat/projects.js").Projects,
   *   loadPart: (id: string, part: string, start: number) => Promise<any>}} options
   *   sessionId: of the chat that is shown; changed: called when a choice has failed; loadPart: a piece of a part
   */
  constructor(options) {
    const { actions, sessionId, changed, loadPart, api } = options;
    this.history = new History({ ...options, page: options.historyPage });
    coloursBy(api.colours);
    const findPaths = findPathsBy(api, sessionId, options.choice);
    this.#permissions = new Permissions(byId("permissions"), actions, loadPart);
    this.#agent = new AgentParts(actions, sessionId, changed, loadPart, findPaths);
    this.#waiting = createWaiting(options);
    this.#steering = new Steering(options.composer);
    new WorktreeButton(api, options.shownRow, options.projects);
  }

  /** @param {import("../log/fold.js").Snapshot} snapshot @param {number} now the server's time */
  draw(snapshot, now) {
    this.#permissions.draw(snapshot.sessionId, snapshot.permissions, now);
    this.#waiting.draw(snapshot);
    this.#steering.draw(stoppable(snapshot) !== null);
    this.#agent.draw(snapshot, now);
  }

  /** The clocks, once a second. @param {number} now the server's time */
  tick(now) {
    if (this.#permissions.open) this.#permissions.tick(now);
    this.#agent.tick(now);
  }

  focusRequest() {
    this.#permissions.focus();
  }

  /** The files that a prompt names. @param {string} text */
  mentionsIn(text) {
    return this.#agent.mentionsIn(text);
  }
}
