/** The keys of a Mac, in the list of shortcuts. */

/** @type {Record<string, string>} */
const ON_A_MAC = { Alt: "⌥", Ctrl: "⌘" };

/** Names the keys as they stand on the keyboard of a Mac. @param {Element} list */
export function nameKeys(list) {
  for (const key of list.querySelectorAll("kbd"))
    key.textContent = ON_A_MAC[key.textContent ?? ""] ?? key.textContent;
}
