/** Small helpers for elements. Text goes in as text; markup comes from the server's sanitiser alone. */

/**
 * @param {string} tag with classes: "button.primary.small"
 * @param {Record<string, any>} [props] attributes; `on…` are listeners, `text` is textContent, false leaves out
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue;
    if (key === "text") element.textContent = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** A stroked icon of 20 × 20; says nothing to a screen reader. @param {string} path */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

export const ICONS = {
  more: "M4.5 10h.01M10 10h.01M15.5 10h.01",
  chevron: "M7.5 5l5 5-5 5",
  tool: "M12.5 3.5a4 4 0 0 0-4.8 5.2L3 13.4 6.6 17l4.7-4.7a4 4 0 0 0 5.2-4.8l-2.4 2.4-2.6-.4-.4-2.6z",
  thought: "M10 3.2a5.3 5.3 0 0 0-3 9.7V15h6v-2.1a5.3 5.3 0 0 0-3-9.7zM8 17.4h4",
  plan: "M8 5h9M8 10h9M8 15h9M3 5l1 1 1.6-2M3 10l1 1 1.6-2M3 15l1 1 1.6-2",
  shield: "M10 2.8l6 2.2v4.6c0 3.7-2.5 6.4-6 7.6-3.5-1.2-6-3.9-6-7.6V5z",
};

/** @type {WeakMap<Element, string>} the text that was set last */
const set = new WeakMap();

/**
 * Sets text only where it is another one: a live region speaks on every set, and a browser's translation of
 * the same text stays.
 * @param {Element} element @param {string} text
 */
export function setText(element, text) {
  if (set.get(element) === text) return;
  set.set(element, text);
  if (element.textContent !== text) element.textContent = text;
}

/** Whether this is a phone or a tablet, whose keyboard is on its screen. */
export function isTouch() {
  return matchMedia("(hover: none) and (pointer: coarse)").matches;
}

/** @param {string} id @returns {any} */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no element #${id}.`);
  return element;
}
