/** A link to an address that an agent chose. */

import { h } from "./dom.js";
import { ledAway } from "./neighbours.js";
import { visible } from "../words/visible.js";

/**
 * Its text is the whole address as the agent wrote it; another port of this host is marked, and led to where a
 * browser sends no log-in of this site.
 * @param {string} address of http or https
 */
export function addressLink(address) {
  const { href, note } = ledAway(address, location);
  return h(note ? "a.other-port" : "a", {
    ...{ href, title: note || null, target: "_blank", rel: "noopener noreferrer" },
    text: visible(address),
  });
}
