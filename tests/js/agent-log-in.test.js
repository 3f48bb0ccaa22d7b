/** The log-in of an agent: links and codes in the output of any program. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { foundIn, plain } from "../../sessions/static/sessions/account/agent-log-in.js";

describe("links and codes of a log-in's output", () => {
  it("is its links and codes", () => {
    const text =
      "Open https://example.org/device?a=1&b=2.\nand enter WXYZ-1234\nor AB12-CD345 there\n";
    assert.deepEqual(foundIn(text), {
      links: ["https://example.org/device?a=1&b=2"],
      codes: ["WXYZ-1234", "AB12-CD345"],
    });
  });

  it("is no half of a link, and nothing else that looks like a code", () => {
    const text =
      "https://example.org/?id=ABCD-1234&x=1 UTF8-1234-5678 ftp://a.b/ javascript:x https://half";
    assert.deepEqual(foundIn(text), {
      links: ["https://example.org/?id=ABCD-1234&x=1"],
      codes: [],
    });
  });

  it("is told once, the last ones of many", () => {
    const links = Array.from({ length: 9 }, (_, i) => `https://a.b/${i} https://a.b/${i}`);
    assert.equal(foundIn(`${links.join(" ")} `).links.length, 5);
  });

  it("has no colours of the terminal in it", () => {
    assert.equal(plain("\x1b[1mhttps://a.b/c\x1b[0m\r\n"), "https://a.b/c\n");
  });
});
