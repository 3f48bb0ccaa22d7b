/** Two small forms below the options of a permission card: "Always allow …" and a denial with a sentence. */

import { h } from "../elements/dom.js";
import { notLoaded } from "../dialogs/toasts.js";

/**
 * @typedef {{kind: string, pattern: string, sentence: string}} Suggestion
 * @typedef {{sentence: string, needsProof: boolean}} Problem sentence: empty when all is well
 * @typedef {{suggest: () => Promise<Suggestion>, always: (rule: {scope: string, kind: string, pattern: string}) => Promise<Problem>,
 *   deny: (sentence: string) => void}} On
 */

/**
 * @param {string} id of the card @param {{canAllow: boolean, canDeny: boolean}} may @param {On} on
 * @returns {HTMLElement}
 */
export function cardForms(id, { canAllow, canDeny }, on) {
  const place = h("div.permission-form", { id: `${id}-form`, hidden: true });
  /** @param {string} text @param {"ruleForm"|"denialForm"} name */
  const opener = (text, name) => {
    const button = h("button.link", {
      type: "button",
      text,
      "aria-expanded": "false",
      "aria-controls": `${id}-form`,
    });
    button.addEventListener("click", async () => {
      const isOpen = button.getAttribute("aria-expanded") === "true";
      for (const one of openers) one.setAttribute("aria-expanded", "false");
      place.hidden = isOpen;
      if (isOpen) return;
      button.setAttribute("aria-expanded", "true");
      const forms = await import("./card-form.js").catch(notLoaded);
      if (!forms) return;
      const form = await forms[name](id, on);
      place.replaceChildren(form);
      const first = form.querySelector("input, textarea");
      if (first instanceof HTMLElement) first.focus();
      place.scrollIntoView({ block: "nearest" });
    });
    return button;
  };
  const openers = [
    ...(canAllow ? [opener("Always allow …", "ruleForm")] : []),
    ...(canDeny ? [opener("Deny and say why …", "denialForm")] : []),
  ];
  return h("div.permission-further", { hidden: !openers.length }, ...openers, place);
}
