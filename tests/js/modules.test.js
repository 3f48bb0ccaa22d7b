// What every browser module must keep to: the server sends them as they are, under a strict
// content security policy, and no build step repairs anything.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** A class of more lines, or a file, holds more than one idea. */
const MOST_LINES = { class: 200, module: 300, test: 500 };

/** @param {string[]} folders */
function filesIn(...folders) {
  return folders
    .map((folder) => join(root, folder))
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".js"))
        .map((name) => join(folder, name)),
    );
}

/** @param {string} source formatted: a class ends with the first line that is "}" */
function classes(source) {
  const found = [...source.matchAll(/^(?:export )?(?:default )?class (\w+)[^]*?^\}/gm)];
  return found.map(([text, name]) => ({ name, lines: linesOf(text) }));
}

/** @param {string} text */
function linesOf(text) {
  return text.trimEnd().split("\n").length;
}

function imports(source) {
  const statement =
    /^\s*(?:import\s+(?:[\w*{},\s]+?\s*from\s*)?|export\s+(?:\*|\{[^}]*\})\s*from\s*)["']([^"']+)["']/gm;
  return [...source.matchAll(statement)].map((match) => match[1]);
}

test("imports are found in every form", () => {
  const source = 'import { a } from "./a.js";\nimport "./b.js";\nexport { c } from "../c.js";\n';
  assert.deepEqual(imports(source), ["./a.js", "./b.js", "../c.js"]);
  assert.deepEqual(imports('export function f() {\n  return { state: "CREATED" };\n}\n'), []);
});

test("classes are measured", () => {
  const source = "class A {\n  a() {\n  }\n}\n\nexport class B {\n}\n";
  assert.deepEqual(classes(source), [
    { name: "A", lines: 4 },
    { name: "B", lines: 2 },
  ]);
});

for (const path of filesIn("tests/js")) {
  test(`${relative(root, path)} is about one topic`, () => {
    assert.ok(linesOf(readFileSync(path, "utf8")) <= MOST_LINES.test);
  });
}

const modules = filesIn("sessions/static", "transport/static");

test("the modules are found", () => assert.ok(modules.length > 50));

for (const path of modules) {
  const name = relative(root, path);
  const source = readFileSync(path, "utf8");

  test(`${name} imports only by relative path`, () => {
    for (const target of imports(source)) {
      assert.match(target, /^\.\.?\//, target);
    }
  });

  test(`${name} holds one idea`, () => {
    assert.ok(linesOf(source) <= MOST_LINES.module);
    const long = classes(source).filter(({ lines }) => lines > MOST_LINES.class);
    assert.deepEqual(long, []);
  });

  test(`${name} makes no code and no markup from text`, () => {
    assert.doesNotMatch(source, /\beval\(|new Function\(|document\.write|insertAdjacentHTML/);
  });

  test(`${name} has no expression that the minifier takes for nothing`, () => {
    assert.doesNotMatch(
      source.replace(/\/\*.*?\*\/|\/\/.*/gs, (part) => part.replace(/void/g, "")),
      /\bvoid\b/,
    );
  });
}
