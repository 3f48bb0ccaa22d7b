/** The groups of the list of chats: those that are pinned, its projects, the last used first, then the other chats by day. Pure. */

import { dayText } from "../words/times.js";

/**
 * @typedef {import("./sidebar-row.js").Row} Row
 * @typedef {import("../new-chat/projects.js").Project} Project
 * @typedef {{key: string, title: string, project: Project|null, rows: Row[]}} Group
 */

/**
 * @param {Row[]} rows the last active first
 * @param {{first: Row|null, projectOf: (row: Row) => Project|null, now: number}} on first: a chat that stands before
 *   them, under a heading of its own; projectOf: null for a row that is listed by its day
 * @returns {Group[]}
 */
export function groupsOf(rows, { first, projectOf, now }) {
  /** @type {Map<string, Group>} */
  const pinned = new Map();
  /** @type {Map<string, Group>} */
  const projects = new Map();
  /** @type {Map<string, Group>} */
  const days = new Map();
  for (const row of rows) {
    const project = projectOf(row);
    if (row.pinnedAt) put(pinned, "pinned", "Pinned", null, row);
    else if (project) put(projects, `project ${project.id}`, project.name, project, row);
    else {
      const day = dayText(row.lastActivityAt, now);
      put(days, `day ${day}`, day, null, row);
    }
  }
  const open = first && { key: "open", title: "Open chat", project: null, rows: [first] };
  return [...(open ? [open] : []), ...pinned.values(), ...projects.values(), ...days.values()];
}

function put(groups, key, title, project, row) {
  const group = groups.get(key) ?? { key, title, project, rows: [] };
  group.rows.push(row);
  groups.set(key, group);
}
