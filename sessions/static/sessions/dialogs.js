/** Dialogs and the menu of a chat. */

import { byId, h } from "./dom.js";

/** Opens a dialog whose form does something that may fail: it stays open, and says so, until it has worked. */
function ask(name, run) {
  const dialog = byId(`${name}-dialog`);
  const form = byId(`${name}-form`);
  const error = byId(`${name}-error`);
  const submit = form.querySelector("[type=submit]");
  error.textContent = "";
  form.onsubmit = async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      await run();
      dialog.close();
    } catch (failure) {
      error.textContent = failure instanceof Error ? failure.message : String(failure);
    } finally {
      submit.disabled = false;
    }
  };
  dialog.showModal();
}

/** @param {string} title @param {(title: string) => Promise<void>} rename */
export function askTitle(title, rename) {
  const input = byId("rename-input");
  input.value = title;
  ask("rename", () => rename(input.value.trim()));
  input.select();
}

/** @param {string} title @param {() => Promise<void>} archive */
export function askArchive(title, archive) {
  byId("archive-name").textContent = title;
  ask("archive", archive);
}

export function showShortcuts() {
  const dialog = byId("shortcuts-dialog");
  if (!dialog.open) dialog.showModal();
}

/**
 * Opens the menu at a button.
 * @param {HTMLElement} anchor
 * @param {{label: string, href?: string, run?: () => void, danger?: boolean}[]} entries
 */
export function openMenu(anchor, entries) {
  const menu = byId("menu");
  menu.replaceChildren(
    ...entries.map(({ label, href, run, danger }) => {
      const kind = danger ? ".danger" : "";
      if (href)
        return h(`a.menu-item${kind}`, {
          href,
          download: true,
          text: label,
          onclick: () => menu.hidePopover(),
        });
      return h(`button.menu-item${kind}`, {
        type: "button",
        text: label,
        onclick: () => {
          menu.hidePopover();
          run?.();
        },
      });
    }),
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

export function bindDialogs() {
  for (const button of document.querySelectorAll("dialog [data-close]")) {
    button.addEventListener("click", () => button.closest("dialog")?.close());
  }
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }
  byId("open-shortcuts").addEventListener("click", showShortcuts);
}
