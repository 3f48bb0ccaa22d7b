/** One chat in the list of chats. */

import { h, icon, ICONS, setText } from "../elements/dom.js";
import { under } from "../server/paths.js";
import { activityOf } from "../words/text.js";
import { agoText } from "../words/times.js";
import { visible } from "../words/visible.js";

/**
 * @typedef {{sessionId: string, title: string, agent: string, state: string, runState: string,
 *   lastActivityAt: string|null, isUnread?: boolean, readSeq?: number, draftVersion?: number, commentsVersion?: number, pinnedAt?: string|null,
 *   projectId?: string|null, branch?: string|null}} Row
 * @typedef {{isShown: boolean, isNew: boolean, unsent: number}} Standing isNew: it has an answer that was not seen;
 *   unsent: its prompts that did not go out
 */

/**
 * @param {string} sessionId
 * @param {{open: (id: string) => void, menu: (anchor: HTMLElement) => void, serverNow: () => number,
 *   agentLabel: (name: string) => string, isStale: () => boolean}} on isStale: the connection is down
 */
export function createRow(sessionId, on) {
  const dot = h("span.dot", { "aria-hidden": "true" });
  const title = h("span.row-title");
  const about = h("span.row-about");
  const text = h("span.row-text", {}, title, about);
  const link = h("a.row-link", { href: under(`/s/${sessionId}`), tabindex: -1 }, dot, text);
  link.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return; // another tab is wanted
    event.preventDefault();
    on.open(sessionId);
  });
  const more = h(
    "button.icon-button.row-more",
    { type: "button", "aria-haspopup": "true", tabindex: -1 },
    icon(ICONS.more),
  );
  more.addEventListener("click", () => on.menu(more));
  return {
    element: h("li.row", { "data-session": sessionId }, link, more),
    /** @param {Row} row @param {Standing} standing */
    update(row, standing) {
      const name = visible(row.title || "New chat");
      dot.dataset.run = row.runState;
      dot.dataset.state = row.state;
      setText(title, name);
      setText(about, aboutText(row, standing, on));
      about.classList.toggle("bad", standing.unsent > 0);
      link.classList.toggle("is-new", hasNews(row, standing));
      link.title = `${name}: ${activityOf(row.state, row.runState, on.isStale())}`;
      more.setAttribute("aria-label", `Actions for ${name}`);
      if (standing.isShown) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    },
  };
}

/** An answer that was not seen counts once its turn is over. @param {Row} row @param {Standing} standing */
function hasNews({ runState }, { isNew }) {
  return isNew && runState === "idle";
}

/** @param {Row} row @param {Standing} standing */
function aboutText(row, standing, { serverNow, agentLabel, isStale }) {
  const { state, runState, lastActivityAt, agent } = row;
  const rest = hasNews(row, standing) ? "New answer" : agoText(lastActivityAt, serverNow());
  return [
    standing.unsent ? `${standing.unsent} not sent` : "",
    runState === "idle" ? rest : activityOf(state, runState, isStale()),
    agentLabel(agent),
  ]
    .filter(Boolean)
    .join(" · ");
}

/** The fields of the server's row that the list shows. @returns {Row} */
export function rowOf(raw) {
  return {
    sessionId: raw.sessionId,
    title: raw.title,
    agent: raw.agent,
    state: raw.state,
    runState: raw.runState,
    lastActivityAt: raw.lastActivityAt,
    isUnread: raw.isUnread,
    readSeq: raw.readSeq,
    draftVersion: raw.draftVersion,
    commentsVersion: raw.commentsVersion,
    pinnedAt: raw.pinnedAt,
    projectId: raw.projectId,
    branch: raw.branch,
  };
}
