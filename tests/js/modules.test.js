// What every browser module must keep to: the server sends them as they are, under a strict
// content security policy, and no build step repairs anything.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

function modules() {
  return ["sessions/static", "transport/static"]
    .map((folder) => join(root, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".js"))
        .map((name) => join(folder, name)),
    );
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

for (const path of modules()) {
  const name = relative(root, path);
  const source = readFileSync(path, "utf8");

  test(`${name} imports only by relative path`, () => {
    for (const target of imports(source)) {
      assert.match(target, /^\.\.?\//, target);
    }
  });

  test(`${name} makes no code and no markup from text`, () => {
    assert.doesNotMatch(source, /\beval\(|new Function\(|document\.write|insertAdjacentHTML/);
  });
}
