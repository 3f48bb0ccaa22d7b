/**
 * Images before they are sent: drawn once more, so that they are no larger than needed and carry nothing of the
 * camera: no place, no device.
 */

import { sha256 } from "./sha256.js";

const MAX_SIDE_PX = 2_000;
const THUMB_PX = 96;
const QUALITY = 0.9;
/** Types that a canvas writes. An animation would lose its motion, and GIF holds nothing of a camera. */
const DRAWN = new Set(["image/png", "image/jpeg", "image/webp"]);

/** @param {Blob} file @returns {Promise<Blob>} the same one where it is no image */
export async function prepared(file) {
  if (!DRAWN.has(file.type)) return file;
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return file; // its type is only its name's
  const canvas = drawn(bitmap, MAX_SIDE_PX);
  const made = await new Promise((resolve) => canvas.toBlob(resolve, file.type, QUALITY));
  return made ?? file;
}

/** @param {Blob} bytes @returns {Promise<HTMLCanvasElement|null>} null for a file that is no image */
export async function thumbnail(bytes) {
  const bitmap = await createImageBitmap(bytes).catch(() => null);
  return bitmap && drawn(bitmap, THUMB_PX);
}

/** @param {ImageBitmap} bitmap @param {number} side the longest that the copy may have */
function drawn(bitmap, side) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}

/** @param {Blob} bytes @returns {Promise<string>} the SHA-256 in hex */
export async function sha256Of(bytes) {
  return [...(await digestOf(bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A page over plain http has no `crypto.subtle`. @param {Blob} bytes */
async function digestOf(bytes) {
  if (!crypto.subtle) return sha256(bytes);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await bytes.arrayBuffer()));
}
