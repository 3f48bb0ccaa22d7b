/**
 * Markup of answers. The server has sanitised it; here it passes a second fence.
 *
 * The markup is parsed in a document that runs and loads nothing. Elements and attributes that are
 * not on the list are taken out before the page sees any of it. The page's policy for trusted types
 * allows markup here alone.
 */

import { ledAway } from "./neighbours.js";

/** The server's list, see sessions/text/markdown.py. */
const TAGS = new Set(
  (
    "a blockquote br code details em h3 h4 h5 h6 hr input kbd li ol p pre s span strong sub summary sup table tbody " +
    "td th thead tr ul"
  ).split(" "),
);
/** @type {Record<string, Set<string>>} */
const ATTRIBUTES = {
  a: new Set(["class", "href", "title", "rel", "target"]),
  code: new Set(["class"]),
  input: new Set(["aria-label", "checked", "disabled", "type"]),
  ol: new Set(["start"]),
  p: new Set(["class"]),
  span: new Set(["class"]),
  td: new Set(["class"]),
  th: new Set(["class"]),
};
const ADDRESS = /^(?:https?:\/\/|mailto:)/i;

/** @type {{createHTML: (html: string) => any}} */
const policy = /** @type {any} */ (globalThis).trustedTypes?.createPolicy("backstay", {
  createHTML: (/** @type {string} */ html) => html,
}) ?? { createHTML: (html) => html };

/** Shows markup as the content of an element. @param {Element} element @param {string} html */
export function setHtml(element, html) {
  const parsed = new DOMParser().parseFromString(policy.createHTML(html), "text/html");
  for (const found of [...parsed.body.querySelectorAll("*")]) clean(found);
  element.replaceChildren(...parsed.body.childNodes);
}

/** Takes an element out that is not on the list, and attributes off one that is. @param {Element} found */
function clean(found) {
  const name = found.localName;
  if (!TAGS.has(name)) {
    found.remove();
    return;
  }
  for (const attribute of [...found.attributes]) {
    const isKnown = Boolean(ATTRIBUTES[name]?.has(attribute.name));
    const isAddress = attribute.name !== "href" || ADDRESS.test(attribute.value);
    if (!isKnown || !isAddress) found.removeAttribute(attribute.name);
  }
  if (name === "input") {
    // The box of a task: a person sees it, and cannot press it.
    found.setAttribute("type", "checkbox");
    found.setAttribute("disabled", "");
  }
  const address = name === "a" && found.getAttribute("href");
  if (address) mark(found, ledAway(address, location));
}

/** @param {Element} link @param {{href: string, note: string}} led */
function mark(link, { href, note }) {
  if (!note) return;
  link.setAttribute("href", href);
  link.setAttribute("title", note);
  link.classList.add("other-port");
}
