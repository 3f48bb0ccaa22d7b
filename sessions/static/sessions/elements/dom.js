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

/** Another icon in the place of one. @param {SVGElement} svg of `icon` @param {string} path */
export function setIcon(svg, path) {
  const line = svg.firstElementChild;
  if (line?.getAttribute("d") !== path) line?.setAttribute("d", path);
}

export const ICONS = {
  more: "M4.5 10h.01M10 10h.01M15.5 10h.01",
  file: "M5.5 2.8h6l3.5 3.5v10.9H5.5zM11.2 3v3.7h3.6",
  copy: "M7 7V3.5h9.5V13H13M3.5 7H13v9.5H3.5z",
  edit: "M4 16l.7-3.4L13 4.3a1.5 1.5 0 0 1 2.1 0l.6.6a1.5 1.5 0 0 1 0 2.1l-8.3 8.3z",
  back: "M8 5L3.5 9.5 8 14M4 9.5h8a4.5 4.5 0 0 1 0 9h-2",
  again: "M15.5 6.5A6.5 6.5 0 1 0 16.5 10M16 3v3.8h-3.8",
  discard: "M5 5l10 10M15 5L5 15",
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

/**
 * Whether a key sends a text: Enter alone, and Ctrl+Enter; on the screen's keyboard, which has no Shift+Enter, the
 * latter alone. @param {KeyboardEvent} event
 */
export function isSubmit({ key, shiftKey, altKey, ctrlKey, metaKey }) {
  if (key !== "Enter" || shiftKey || altKey) return false;
  return ctrlKey || metaKey || !isTouch();
}

/** @param {string} id @returns {any} */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no element #${id}.`);
  return element;
}

/** The pixels of a box that are hidden below its lower edge. @param {Element} box */
export const hiddenBelow = ({ scrollHeight, scrollTop, clientHeight }) =>
  scrollHeight - scrollTop - clientHeight;
