/** The files of a prompt in the transcript: images as they are, others by their names. */

import { h } from "../elements/dom.js";
import { fileElement } from "../answers/blob-files.js";

/** @returns {{element: HTMLElement, update: (attachments: any[]|undefined) => void}} */
export function promptFiles() {
  const element = h("div.prompt-files", { hidden: true });
  let shown = "";
  return {
    element,
    update(attachments = []) {
      const key = attachments.map(({ blob, name }) => `${blob} ${name}`).join("\n");
      if (key === shown) return;
      shown = key;
      element.hidden = !attachments.length;
      element.replaceChildren(...attachments.map(fileElement));
    },
  };
}
