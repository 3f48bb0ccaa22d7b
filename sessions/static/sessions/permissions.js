/** Open permission requests: cards between the transcript and the composer, answered by button or number key. */

import { h, icon, ICONS, isTouch, setText } from "./dom.js";
import { clockText, readable } from "./text.js";

export class Permissions {
  #root;
  #answer;
  /** @type {Map<string, {element: HTMLElement, request: any, left: HTMLElement}>} */
  #cards = new Map();

  /** @param {HTMLElement} root @param {(request: any, optionId: string) => Promise<void>} answer */
  constructor(root, answer) {
    this.#root = root;
    this.#answer = answer;
  }

  get open() {
    return this.#cards.size;
  }

  /** @param {any[]} requests @param {number} now server's time, epoch milliseconds */
  draw(requests, now) {
    const ids = new Set(requests.map((request) => request.permId));
    const hadFocus = this.#root.contains(document.activeElement);
    for (const [id, { element }] of this.#cards) {
      if (ids.has(id)) continue;
      element.remove();
      this.#cards.delete(id);
    }
    for (const request of requests) {
      if (this.#cards.has(request.permId)) continue;
      const card = this.#card(request);
      this.#cards.set(request.permId, card);
      this.#root.append(card.element);
    }
    this.#root.hidden = !requests.length;
    this.tick(now);
    if (hadFocus && !this.#root.contains(document.activeElement)) this.#focusNext();
  }

  /** The time that is left, told once a second. */
  tick(now) {
    for (const { left, request } of this.#cards.values()) {
      const ms = request.expiresAt ? Date.parse(request.expiresAt) - now : null;
      setText(
        left,
        ms === null ? "" : ms > 0 ? `Denied by itself in ${clockText(ms)}` : "Time is up",
      );
    }
  }

  focus() {
    this.#cards.values().next().value?.element.focus();
  }

  #focusNext() {
    if (this.open) this.focus();
    else if (!isTouch()) document.getElementById("prompt")?.focus();
  }

  #card(request) {
    const id = `perm-${request.permId}`;
    const left = h("p.muted.permission-left");
    const buttons = request.options.map((option, i) => {
      const strength = option.kind?.startsWith("allow")
        ? option.kind === "allow_once"
          ? "primary"
          : "quiet"
        : "quiet";
      return h(
        `button.${strength}`,
        {
          type: "button",
          "data-option": option.id,
          "data-kind": option.kind,
          onclick: () => choose(option.id),
        },
        h("kbd", { text: String(i + 1), "aria-hidden": "true" }),
        option.label || option.id,
      );
    });
    let isBusy = false;
    const busy = (on) => {
      isBusy = on; // a disabled button would lose the focus
      for (const button of buttons) button.setAttribute("aria-disabled", String(on));
    };
    const choose = async (optionId) => {
      if (isBusy) return;
      busy(true);
      try {
        await this.#answer(request, optionId);
      } finally {
        busy(false);
      }
    };
    const input = readable(request.input);
    const what = [request.title, input]
      .filter((text, at, all) => text && all.indexOf(text) === at)
      .join("\n");
    const element = h(
      "section.permission",
      {
        id,
        tabindex: "-1",
        role: "group",
        "aria-labelledby": `${id}-title`,
        "data-perm": request.permId,
      },
      h("h3", { id: `${id}-title` }, icon(ICONS.shield), `Allow ${request.toolName || "this"}?`),
      what && h("pre", { tabindex: "0", text: what }),
      h("div.permission-options", {}, ...buttons),
      left,
    );
    element.addEventListener("keydown", (event) => {
      const chosen = request.options[Number(event.key) - 1];
      if (!chosen || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      choose(chosen.id);
    });
    return { element, request, left };
  }
}
