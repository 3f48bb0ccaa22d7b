/** SHA-256 for pages over plain http: the digests of node's own implementation. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { sha256 } from "../../sessions/static/sessions/composer/sha256.js";

const KIB = 1024;
// Around each end of a block and of a slice, and where the length needs a block of its own.
const SIZES = [
  0,
  1,
  3,
  55,
  56,
  57,
  63,
  64,
  65,
  119,
  120,
  128,
  256 * KIB - 1,
  256 * KIB,
  256 * KIB + 63,
  700 * KIB,
];

for (const size of SIZES)
  test(`the digest of ${size} bytes`, async () => {
    const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
    const digest = Buffer.from(await sha256(new Blob([bytes]))).toString("hex");
    assert.equal(digest, createHash("sha256").update(bytes).digest("hex"));
  });
