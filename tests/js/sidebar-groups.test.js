import assert from "node:assert/strict";
import { test } from "node:test";
import { groupsOf } from "../../sessions/static/sessions/list/sidebar-groups.js";

const NOW = Date.parse("2026-11-29T12:00:00Z");
/** @type {any} */
const shop = { id: "s", name: "shop" };
/** @type {any} */
const blog = { id: "b", name: "blog" };
/** @type {Record<string, any>} */
const projects = { s: shop, b: blog };
/** @returns {any} */
const row = (sessionId, projectId, lastActivityAt = "2026-11-29T11:00:00Z") => ({
  sessionId,
  projectId,
  lastActivityAt,
});
const on = (first = null) => ({
  first,
  projectOf: (one) => projects[one.projectId] ?? null,
  now: NOW,
});
const told = (groups) =>
  groups.map(({ title, rows }) => [title, rows.map((one) => one.sessionId).join("")]);

test("projects come first, the last used first, and then the days", () => {
  const rows = [
    row("1", null),
    row("2", "b"),
    row("3", "s"),
    row("4", "b"),
    row("5", null, "2026-11-28T11:00:00Z"),
    row("6", "gone"),
    { ...row("7", "s"), pinnedAt: "2026-11-29T11:00:00Z" },
  ];
  assert.deepEqual(told(groupsOf(rows, on())), [
    ["Pinned", "7"],
    ["blog", "24"],
    ["shop", "3"],
    ["Today", "16"],
    ["Yesterday", "5"],
  ]);
});

test("an open chat of an older page stands before the groups", () => {
  const groups = groupsOf([row("1", "s")], on(row("9", "s")));
  assert.deepEqual(told(groups), [
    ["Open chat", "9"],
    ["shop", "1"],
  ]);
});

test("two projects of one name are two groups", () => {
  const same = { ...blog, name: "shop" };
  const groups = groupsOf([row("1", "s"), row("2", "b")], {
    ...on(),
    projectOf: ({ projectId }) => (projectId === "s" ? shop : same),
  });
  assert.equal(new Set(groups.map(({ key }) => key)).size, 2);
});
