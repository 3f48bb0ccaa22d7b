/** The menu at a button. */

import { byId, h } from "./dom.js";

/**
 * Opens the menu at a button.
 * @param {HTMLElement} anchor
 * @param {{label: string, run: () => void, danger?: boolean}[]} entries
 */
export function openMenu(anchor, entries) {
  const menu = byId("menu");
  menu.replaceChildren(
    ...entries.map(({ label, run, danger }) =>
      h(`button.menu-item${danger ? ".danger" : ""}`, {
        type: "button",
        text: label,
        onclick: () => {
          menu.hidePopover();
          run();
        },
      }),
    ),
  );
  menu.showPopover();
  const box = anchor.getBoundingClientRect();
  const left = Math.min(box.left, innerWidth - menu.offsetWidth - 8);
  const below = box.bottom + 4 + menu.offsetHeight < innerHeight;
  menu.style.left = `${Math.max(8, left)}px`;
  menu.style.top = `${below ? box.bottom + 4 : Math.max(8, box.top - menu.offsetHeight - 4)}px`;
  menu.querySelector(".menu-item")?.focus();
  menu.onkeydown = (event) => moveInMenu(menu, event);
  menu.ontoggle = (event) =>
    event.newState === "closed" && menu.contains(document.activeElement) && anchor.focus();
}

function moveInMenu(menu, event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const items = [...menu.querySelectorAll(".menu-item")];
  const at = items.indexOf(document.activeElement);
  items[(at + step + items.length) % items.length].focus();
}
