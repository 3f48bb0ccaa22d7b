/** The prompts that wait for the agent, above the composer: each can be edited, moved, sent now or removed. */

import { h, icon, ICONS, isSubmit, setText } from "../elements/dom.js";
import { CHAT_ICONS } from "../elements/chat-icons.js";
import { visible } from "../words/visible.js";

/** The page shows the beginning of a prompt: one line of it is read. */
const SHOWN_CHARS = 300;

/**
 * @typedef {{clientMsgId: string, message: any}} Waiting message: of the transcript, undefined while it is not loaded
 * @typedef {{edit: (prompt: Waiting, text: string) => Promise<boolean>, remove: (prompt: Waiting) => void,
 *   now: (prompt: Waiting) => void, move: (names: string[]) => void}} Actions edit: whether it is over, well or badly
 */

export class WaitingList {
  #root;
  #list = h("ol.waiting-list");
  #title = h("h3.waiting-title");
  #actions;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {Waiting[]} */
  #waiting = [];
  #focusElsewhere;

  /** @param {HTMLElement} root @param {Actions} actions @param {() => void} focusElsewhere when the last one is gone */
  constructor(root, actions, focusElsewhere) {
    this.#root = root;
    this.#actions = actions;
    this.#focusElsewhere = focusElsewhere;
    root.append(this.#title, this.#list);
  }

  /** @param {import("../log/fold.js").Snapshot} snapshot */
  draw({ queue, messages, turn }) {
    // Without a turn the first one is on its way to the agent.
    const isShown = turn !== null || queue.length > 1;
    const byName = new Map(messages.map((message) => [message.clientMsgId, message]));
    this.#waiting = (isShown ? queue : []).map(({ clientMsgId }) => ({
      clientMsgId,
      message: byName.get(clientMsgId),
    }));
    const hadFocus = this.#root.contains(document.activeElement);
    const names = new Set(this.#waiting.map(({ clientMsgId }) => clientMsgId));
    for (const [name, row] of this.#rows) {
      if (names.has(name)) continue;
      row.leave();
      this.#rows.delete(name);
    }
    this.#waiting.forEach((prompt, at) => this.#place(prompt, at));
    this.#root.hidden = !this.#waiting.length;
    const count = this.#waiting.length;
    setText(this.#title, count === 1 ? "1 prompt waits" : `${count} prompts wait`);
    if (hadFocus && !this.#root.contains(document.activeElement)) this.#focusElsewhere();
  }

  /** @param {Waiting} prompt @param {number} at */
  #place(prompt, at) {
    const { clientMsgId } = prompt;
    const row =
      this.#rows.get(clientMsgId) ?? new Row(this.#actions, (by) => this.#move(clientMsgId, by));
    this.#rows.set(clientMsgId, row);
    row.draw(prompt, at, this.#waiting.length);
    const there = this.#list.children[at] ?? null;
    if (there === row.element) return;
    const focused = row.element.contains(document.activeElement) ? document.activeElement : null;
    this.#list.insertBefore(row.element, there);
    /** @type {HTMLElement|null} */ (focused)?.focus();
  }

  /** @param {string} name @param {number} by -1 or 1 */
  #move(name, by) {
    const names = this.#waiting.map(({ clientMsgId }) => clientMsgId);
    const from = names.indexOf(name);
    const to = from + by;
    if (from < 0 || to < 0 || to >= names.length) return;
    [names[from], names[to]] = [names[to], names[from]];
    this.#actions.move(names);
  }
}

/** One prompt that waits. */
class Row {
  element;
  /** @type {Waiting|null} */
  #prompt = null;
  #actions;
  #text = h("span.waiting-text", { dir: "auto" });
  #buttons;
  #up;
  #down;
  #edit;
  /** @type {HTMLFormElement|null} */
  #form = null;

  /** @param {Actions} actions @param {(by: number) => void} move */
  constructor(actions, move) {
    this.#actions = actions;
    this.#edit = iconButton("Edit", ICONS.edit, () => this.#open());
    this.#up = iconButton("Move up", CHAT_ICONS.up, () => move(-1));
    this.#down = iconButton("Move down", CHAT_ICONS.down, () => move(1));
    this.#buttons = h(
      "span.waiting-buttons",
      {},
      h("button.quiet.waiting-now", {
        type: "button",
        text: "Send now",
        title: "Stop the answer that runs and continue with this prompt",
        onclick: (event) => event.detail < 2 && this.#prompt && actions.now(this.#prompt),
      }),
      this.#edit,
      this.#up,
      this.#down,
      iconButton(
        "Remove",
        ICONS.discard,
        ({ detail }) => detail < 2 && this.#prompt && actions.remove(this.#prompt),
      ),
    );
    this.element = h("li.waiting-row", {}, this.#text, this.#buttons);
  }

  /** @param {Waiting} prompt @param {number} at @param {number} count */
  draw(prompt, at, count) {
    this.#prompt = prompt;
    setText(this.#text, visible(shownOf(prompt.message).slice(0, SHOWN_CHARS)));
    // A text that is not here whole would lose its end.
    this.#edit.hidden = !prompt.message || Boolean(prompt.message.cut);
    for (const [button, isEdge] of /** @type {[HTMLElement, boolean][]} */ ([
      [this.#up, at === 0],
      [this.#down, at === count - 1],
    ])) {
      button.setAttribute("aria-disabled", String(isEdge)); // disabled would lose the focus
      button.hidden = count < 2;
    }
  }

  /** The prompt does not wait any more: a text that is being written goes to the composer. */
  leave() {
    const field = this.#form?.querySelector("textarea");
    if (field && this.#prompt && field.value !== this.#prompt.message?.text)
      this.#actions.edit(this.#prompt, field.value);
    this.element.remove();
  }

  #open() {
    const prompt = this.#prompt;
    if (!prompt?.message || this.#form) return;
    const version = prompt.message.version;
    const field = /** @type {HTMLTextAreaElement} */ (
      h("textarea", { rows: "3", dir: "auto", "aria-label": "The prompt that waits" })
    );
    field.value = prompt.message.text;
    const save = async () => {
      // The version that was read when the editing began: a change of another device is not lost.
      const begun = { ...prompt, message: { ...prompt.message, version } };
      if (await this.#actions.edit(begun, field.value)) this.#close();
    };
    const form = /** @type {HTMLFormElement} */ (
      h(
        "form.waiting-form",
        {},
        field,
        h("button.primary", { type: "submit", text: "Save" }),
        h("button.quiet", { type: "button", text: "Cancel", onclick: () => this.#close() }),
      )
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (field.value.trim() || prompt.message.attachments) save();
    });
    field.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Escape") this.#close();
      else if (isSubmit(event)) form.requestSubmit();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    this.#form = form;
    this.element.replaceChildren(form);
    field.focus();
  }

  #close() {
    this.#form = null;
    this.element.replaceChildren(this.#text, this.#buttons);
    if (this.element.isConnected) this.#edit.focus();
  }
}

/** The text of a prompt; of one without a text, the names of its files. @param {any} message */
function shownOf(message) {
  if (!message) return "A prompt that is not loaded";
  const names = (message.attachments ?? []).map(({ name }) => name);
  return message.text.trim() ? message.text : names.join(", ");
}

/** @param {string} label @param {string} path @param {(event: MouseEvent) => void} run */
function iconButton(label, path, run) {
  const props = { type: "button", "aria-label": label, title: label };
  return h(
    "button.icon-button",
    {
      ...props,
      onclick: (/** @type {MouseEvent} */ event) => {
        const button = /** @type {HTMLElement} */ (event.currentTarget);
        if (button.getAttribute("aria-disabled") !== "true") run(event);
      },
    },
    icon(path),
  );
}
