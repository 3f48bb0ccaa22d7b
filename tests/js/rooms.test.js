// The rooms of the page: each lies on a floor, and its modules import from the floors below.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const page = join(root, "sessions/static/sessions");

/** From the bottom to the top. Rooms of one floor know nothing of each other. */
const FLOORS = [
  ["words"],
  ["elements"],
  ["dialogs", "diff", "log", "scroll"],
  ["announcing", "composer", "server"],
  ["answers", "page"],
  ["account", "cards", "transcript", "work"],
  ["chat"],
  ["list", "new-chat"],
  [""],
];
/** More modules hide the idea of a folder. */
const MOST_MODULES = 15;

/** @param {string} folder @returns {string[]} the modules below it, from there */
function modulesBelow(folder) {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".js"),
  );
}

/** @param {string} module below the folder of the page */
function roomOf(module) {
  return dirname(module).replace(/^\.$/, "");
}

/** @param {string} room */
function floorOf(room) {
  return FLOORS.findIndex((rooms) => rooms.includes(room));
}

/** @param {string} module @returns {string[]} the modules of the page that it imports at once */
function imported(module) {
  const source = readFileSync(join(page, module), "utf8");
  return [...source.matchAll(/^(?:import|export)\s[^;]*?\sfrom "(\.[^"]+)";$/gm)]
    .map(([, target]) => relative(page, resolve(page, dirname(module), target)))
    .filter((target) => !target.startsWith(".."));
}

const modules = modulesBelow(page);

test("imports of the page are found", () => {
  assert.ok(imported("main.js").includes("page-parts.js"));
  assert.ok(imported("cards/permissions.js").includes("elements/dom.js"));
});

test("every room lies on one floor, and every floor has rooms", () => {
  assert.deepEqual([...new Set(modules.map(roomOf))].sort(), FLOORS.flat().sort());
});

for (const module of modules) {
  test(`${module} imports from its room and from the floors below`, () => {
    const room = roomOf(module);
    const wrong = imported(module).filter(
      (target) => roomOf(target) !== room && floorOf(roomOf(target)) >= floorOf(room),
    );
    assert.deepEqual(wrong, []);
  });
}

test("no folder has grown beyond one idea", () => {
  const counts = new Map();
  for (const folder of ["sessions/static", "transport/static"]) {
    for (const name of modulesBelow(join(root, folder))) {
      const place = dirname(join(folder, name));
      counts.set(place, (counts.get(place) ?? 0) + 1);
    }
  }
  assert.deepEqual(
    [...counts].filter(([, count]) => count > MOST_MODULES),
    [],
  );
});

test("docs/design/page.md names every room", () => {
  const told = readFileSync(join(root, "docs/design/page.md"), "utf8");
  const missing = FLOORS.flat().filter((room) => room && !told.includes(`| \`${room}/\` |`));
  assert.deepEqual(missing, []);
});
