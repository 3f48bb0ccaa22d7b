/** The files of a tool's result. */

import { picture, saveButton, SHOWN } from "./blob-files.js";
import { h } from "../elements/dom.js";
import { visible } from "../words/visible.js";

/** @param {any} block @returns {HTMLElement[]} */
export function filesOf({ images = [], resources = [] }) {
  return [...images.map(imageElement), ...resources.map(resourceElement)];
}

function imageElement({ blob, mime }) {
  if (!SHOWN.has(mime)) return saveButton(blob, `File of the result (${visible(mime)})`);
  return picture(blob, "Image of the result");
}

function resourceElement({ uri, blob, text }) {
  const name = blob ? saveButton(blob, visible(uri)) : visible(uri);
  const content = text && h("pre", { tabindex: "0", text: visible(text) });
  return h("p.tool-resource", { translate: "no" }, name, content);
}
