/** The list of chats as a drawer on a small screen. */

import { byId } from "../elements/dom.js";

export class Drawer {
  constructor() {
    byId("open-sidebar").addEventListener("click", () => this.open());
    byId("close-sidebar").addEventListener("click", () => this.close());
    byId("scrim").addEventListener("click", () => this.close());
  }

  get isOpen() {
    return document.body.classList.contains("drawer-open");
  }

  /** Whether the list is a drawer in this window: the style sheet decides. */
  get isDrawer() {
    return byId("open-sidebar").checkVisibility();
  }

  open() {
    this.#set(true);
    byId("close-sidebar").focus();
  }

  close() {
    if (!this.isOpen) return;
    this.#set(false);
    byId("open-sidebar").focus();
  }

  /** @param {boolean} isOpen */
  #set(isOpen) {
    document.body.classList.toggle("drawer-open", isOpen);
    byId("open-sidebar").setAttribute("aria-expanded", String(isOpen));
  }
}
