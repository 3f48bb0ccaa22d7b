/** Files of prompts and results: images as they are, others by their address. */

import { h } from "../elements/dom.js";
import { isOurFile } from "../server/requests.js";
import { toast } from "../dialogs/toasts.js";
import { visible } from "../words/visible.js";

/** Types that the server lets a page show. */
export const SHOWN = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

/** An image by its address would carry no key, so the page reads the bytes itself. @type {typeof fetch} */
let request = (path, init) => fetch(path, init);

/** Bytes that this browser has, before they are uploaded. @type {(blob: string) => Promise<Blob|null>} */
let local = async () => null;

/** @param {typeof fetch} own the page's requests @param {typeof local} [kept] the files of the outbox */
export function readFilesBy(own, kept = local) {
  request = own;
  local = kept;
}

/** A file of a prompt. @param {any} attachment @returns {HTMLElement} */
export function fileElement({ blob, name, mime }) {
  const shown = visible(name);
  return SHOWN.has(mime) ? picture(blob, shown) : saveButton(blob, shown);
}

/** @param {string} blob @param {string} alt */
export function picture(blob, alt) {
  const image = /** @type {HTMLImageElement} */ (h("img.tool-image", { alt }));
  local(blob)
    .then((bytes) => (bytes ? asData(bytes) : dataOf(`/api/blobs/${blob}`)))
    .then(
      (data) => (image.src = data),
      () => (image.alt = `${alt} (could not be loaded)`),
    );
  return image;
}

/** @param {string} blob @param {string} text */
export function saveButton(blob, text) {
  const save = async () => {
    const href = await dataOf(`/api/blobs/${blob}`);
    h("a", { href, download: blob.slice(0, 16) }).click();
  };
  return h("button.link", { type: "button", text, onclick: () => save().catch(failed) });
}

function failed() {
  toast("The file could not be loaded.");
}

/** The bytes as a data: address, the one kind besides its own that the page may show. @param {string} path */
export async function dataOf(path) {
  const response = await request(path);
  if (!isOurFile(response)) throw new Error(`status ${response.status}`);
  return asData(await response.blob());
}

/** @param {Blob} bytes @returns {Promise<string>} */
function asData(bytes) {
  const reader = new FileReader();
  return new Promise((resolve, reject) => {
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(bytes);
  });
}
