import assert from "node:assert/strict";
import { test } from "node:test";
import { ledAway } from "../../sessions/static/sessions/elements/neighbours.js";

const at = (origin) => ({ origin, hostname: new URL(origin).hostname });
const here = at("http://localhost:8000");
const numbered = at("http://127.0.0.1:8000");

/** @type {[any, string, string][]} */
const AWAY = [
  [here, "http://localhost:3000/a?b#c", "http://127.0.0.1:3000/a?b#c"],
  [here, "http://LOCALHOST:3000/", "http://127.0.0.1:3000/"],
  [here, "http://localhost.:3000/", "http://127.0.0.1:3000/"],
  [here, "https://localhost:8443/", "https://127.0.0.1:8443/"],
  [here, "http://localhost/", "http://127.0.0.1/"],
  [here, "http://user:word@localhost:3000/", "http://user:word@127.0.0.1:3000/"],
  [numbered, "http://127.0.0.1:3000/", "http://localhost:3000/"],
  [numbered, "http://2130706433:3000/", "http://localhost:3000/"],
  [numbered, "http://127.1:3000/", "http://localhost:3000/"],
  [at("http://127.0.0.2:8000"), "http://127.0.0.2:3000/", "http://localhost:3000/"],
  [at("http://[::1]:8000"), "http://[::1]:3000/", "http://localhost:3000/"],
  [at("http://[::1]:8000"), "http://[0:0::1]:3000/", "http://localhost:3000/"],
];

for (const [page, href, led] of AWAY)
  test(`${href} is led away from ${page.origin}`, () => {
    const found = ledAway(href, page);
    assert.equal(found.href, led);
    assert.match(found.note, /no log-in/);
  });

const ELSEWHERE = [
  "http://localhost:8000/s/1",
  "http://127.0.0.1:3000/",
  "https://example.org/",
  "http://localhost.example.org:3000/",
  "mailto:a@localhost",
  "http://[",
  "localhost:3000",
];

for (const href of ELSEWHERE)
  test(`${href} stays as it is on ${here.origin}`, () =>
    assert.deepEqual(ledAway(href, here), { href, note: "" }));

test("another port of a named host is marked", () => {
  const found = ledAway("https://chat.example.org:3000/", at("https://chat.example.org"));
  assert.equal(found.href, "https://chat.example.org:3000/");
  assert.match(found.note, /Another port/);
  assert.match(ledAway("http://chat.example.org/", at("https://chat.example.org")).note, /Another/);
});
