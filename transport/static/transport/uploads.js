/** Uploads: the bytes of a prompt's files go up before the prompt, in pieces, and are never sent twice. */

import { answerOf, isDone } from "./commands.js";

const PIECE_BYTES = 1024 * 1024;
/** A piece that another tab sends at the same time moves the place; so often it is looked up again. */
const MAX_MOVES = 5;

/**
 * @typedef {{blob: string, name: string, mime: string, size: number}} Attachment blob: the SHA-256 of the bytes
 * @typedef {import("./commands.js").Answer} Answer
 */

/**
 * @param {{fetch: typeof globalThis.fetch, csrf: () => string, timeoutMs: number,
 *   files: {get: (sha256: string) => Promise<Blob|null>}, base?: string, pieceBytes?: number}} options
 *   timeoutMs: for one piece
 * @returns {(attachments: readonly Attachment[]) => Promise<Answer|null>} null when the server has all of them, else
 *   its refusal; rejects when the network fails
 */
export function createUpload({
  fetch,
  csrf,
  timeoutMs,
  files,
  base = "/api/blobs/",
  pieceBytes = PIECE_BYTES,
}) {
  /** @param {string} blob @param {string} range @param {Blob|null} body @returns {Promise<Answer>} */
  async function put(blob, range, body) {
    const response = await fetch(base + blob, {
      method: "PUT",
      headers: {
        Accept: "application/json",
        "Content-Type": "application/octet-stream",
        "Content-Range": `bytes ${range}`,
        "X-CSRFToken": csrf(),
      },
      body,
      credentials: "same-origin",
      redirect: "manual", // the server sends none: it is a proxy that sends the page elsewhere
      signal: AbortSignal.timeout(timeoutMs),
    });
    return answerOf(response, Date.now());
  }

  /** @param {Attachment} attachment @returns {Promise<Answer>} the last one */
  async function one({ blob, size }) {
    let answer = await put(blob, `*/${size}`, null);
    if (answer.status !== 202) return answer;
    const bytes = await files.get(blob);
    if (!bytes) return answer; // the prompt itself is refused then, with a sentence
    for (let moves = 0; isPartial(answer) && moves <= MAX_MOVES;) {
      const from = answer.body.received;
      const to = Math.min(from + pieceBytes, size);
      answer = await put(blob, `${from}-${to - 1}/${size}`, bytes.slice(from, to));
      if (answer.status === 409) moves += 1;
    }
    return answer;
  }

  return async function upload(attachments) {
    for (const attachment of attachments) {
      const answer = await one(attachment);
      if (!isDone(answer)) return answer;
    }
    return null;
  };
}

/** @param {Answer} answer */
function isPartial({ status, body }) {
  return (status === 202 || status === 409) && Number.isInteger(body?.received);
}
