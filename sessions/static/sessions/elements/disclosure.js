/** A line of the transcript that opens. */

import { h, icon } from "./dom.js";
import { CHAT_ICONS } from "./chat-icons.js";

/** @param {string} kind its class @param {string} path of its icon */
export function disclosure(kind, path) {
  const sign = icon(path);
  const label = h("span.block-label");
  const hint = h("span.block-hint");
  const status = h("span.block-status");
  const body = h("div.block-body");
  const element = h(
    `details.block.${kind}`,
    {},
    h("summary", {}, sign, label, hint, status, icon(CHAT_ICONS.chevron)),
    body,
  );
  return { element, label, hint, status, body, sign };
}
