/** The composer: the text being written, per chat. Enter sends, Shift+Enter makes a new line, Ctrl+Enter sends now. */

import { keep, kept } from "../../transport/browser/storage.js";
import { isSubmit, isTouch, setText } from "../elements/dom.js";
import { Recall } from "./recall.js";

/** The longest line whose direction the browser finds out. */
const MAX_LINE = 16_384;
/** A text of another device does not come under the hands of a person who writes. */
const WRITING_MS = 4_000;
const RIGHT_TO_LEFT =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

export class Composer {
  #form;
  #text;
  #send;
  #stop;
  #storage;
  #key = "";
  #isKept = true;
  #on;
  #recall;
  #typedAt = 0;
  // Heard by the part that shares drafts between devices: a text was written, left, another chat's is shown.
  onWritten = () => {};
  onLeft = () => {};
  onShown = () => {};

  /**
   * @param {{form: HTMLFormElement, text: HTMLTextAreaElement, send: HTMLButtonElement, stop: HTMLButtonElement}} parts
   * @param {{submit: (text: string, isNow: boolean) => void, interrupt: () => void, stop: () => void, scroll: (key: string) => void,
   *   past: ReturnType<typeof import("../page-parts.js").pastPrompts>, files: import("./attached.js").Attached}} on scroll: the transcript, by a key
   * @param {Storage|null} storage the tab's: a text survives a reload
   */
  constructor({ form, text, send, stop }, on, storage) {
    this.#form = form;
    this.#text = text;
    this.#send = send;
    this.#stop = stop;
    this.#on = on;
    this.#recall = new Recall(on.past);
    this.#storage = storage;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    text.addEventListener("keydown", (event) => this.#keydown(event));
    text.addEventListener("blur", () => this.onLeft());
    text.addEventListener("beforeinput", ({ data }) => {
      if (data && data.length > MAX_LINE) text.classList.remove("by-line"); // before it is laid out
    });
    text.addEventListener("input", () => {
      this.#typedAt = Date.now();
      this.#recall.reset();
      this.#changed();
    });
    // One press asks once: a double click or a held key must not force the stop that it has just asked for.
    stop.addEventListener("keydown", (event) => event.repeat && event.preventDefault());
    stop.addEventListener("click", ({ detail }) => {
      if (detail > 1) return;
      if (stop.dataset.step === "stop") on.stop();
      else on.interrupt();
    });
  }

  /**
   * Whether a text would be lost. The server has no draft of a new chat: its text is kept for this tab alone.
   * @param {boolean} isWithTab one that the tab keeps counts, too
   */
  isAtRisk(isWithTab) {
    return (isWithTab || !this.#isKept) && this.#text.value.trim() !== "";
  }

  get text() {
    return this.#text.value;
  }

  /** Whether a person has typed here a moment ago. */
  get isWriting() {
    return document.activeElement === this.#text && Date.now() - this.#typedAt < WRITING_MS;
  }

  /** Takes a text of another device. @param {string} text */
  replace(text) {
    this.#recall.reset();
    this.#put(text);
    this.#fit();
    this.#write(text);
  }

  /** Turns to another chat's text. @param {string} key */
  show(key) {
    this.#key = storageKey(key);
    this.#recall.reset();
    this.#put(kept(this.#storage, this.#key) ?? "");
    this.#on.files.show(key);
    this.#fit();
    this.onShown();
  }

  /** The same chat under another name: its text stays. @param {string} key */
  rename(key) {
    this.#write("");
    this.#key = storageKey(key);
    this.#write(this.#text.value);
    this.#on.files.rename(key);
    this.onShown();
  }

  /** Takes the focus for writing; not where it would open a keyboard over half of the screen. */
  focus() {
    if (!isTouch()) this.#text.focus({ preventScroll: true });
  }

  /** Puts a text in to be sent, without losing one that is being written. @param {string} text */
  offer(text) {
    const written = this.#text.value.trimEnd();
    this.#put(written ? `${written}\n\n${text}` : text);
    this.#changed();
    this.#text.focus({ preventScroll: true });
  }

  /**
   * @param {{running: boolean, stopping: boolean, disabled: boolean, isStale: boolean}} state isStale: the connection is
   *   down
   */
  draw({ running, stopping, disabled, isStale }) {
    if (!running && document.activeElement === this.#stop) this.focus();
    this.#stop.hidden = !running;
    this.#stop.dataset.step = stopping ? "stop" : "interrupt";
    const word = stopping ? "Force stop" : "Stop";
    setText(this.#stop.querySelector(".label") ?? this.#stop, word);
    this.#stop.setAttribute("aria-label", word); // a narrow window shows the sign alone
    this.#text.disabled = disabled;
    this.#text.placeholder = isStale
      ? "Sent once connected"
      : running
        ? "Write the next prompt. It waits its turn"
        : "Write a prompt";
    this.#send.setAttribute("aria-label", running ? "Queue the prompt" : "Send the prompt");
  }

  #keydown(event) {
    if (event.isComposing || event.keyCode === 229) return; // Enter chooses a candidate of an input method
    if (event.key === "Escape" && !this.#stop.hidden) {
      event.preventDefault();
      this.#on.interrupt();
    }
    const isScroll = scrolls(event, this.#text);
    if (isScroll) this.#on.scroll(event.key);
    if (isScroll || this.#walks(event)) event.preventDefault();
    if (!isSubmit(event)) return;
    event.preventDefault();
    this.submit(event.ctrlKey || event.metaKey);
  }

  /** The arrows walk earlier prompts, while an empty or an untouched one stands here. */
  #walks({ key, altKey, ctrlKey, metaKey, shiftKey }) {
    if (altKey || ctrlKey || metaKey || shiftKey || (key !== "ArrowUp" && key !== "ArrowDown"))
      return false;
    const { value, selectionStart } = this.#text;
    if (!this.#recall.canWalk(value) || selectionStart !== value.length) return false;
    if (key === "ArrowDown") this.#recalled(this.#recall.after());
    else
      this.#recall.before(value).then((text) => this.#text.value === value && this.#recalled(text));
    return true;
  }

  /** @param {string|null} text */
  #recalled(text) {
    if (text === null) return;
    this.#put(text);
    this.#changed();
  }

  #put(text) {
    this.#text.classList.remove("by-line");
    this.#text.value = text;
  }

  /** Sends what stands here. @param {boolean} isNow whether an answer that runs is stopped for it */
  submit(isNow = false) {
    const text = this.#text.value;
    const { files } = this.#on;
    if ((!text.trim() && !files.hasFiles) || this.#text.disabled || files.isBusy) return;
    this.#on.submit(text, isNow && !this.#stop.hidden);
    this.#text.value = "";
    this.#recall.reset();
    this.#changed();
  }

  #changed() {
    this.#fit();
    this.#write(this.#text.value);
    this.onWritten();
  }

  /** Keeps the text for a reload. */
  #write(text) {
    this.#isKept = keep(this.#storage, this.#key, text);
  }

  #fit() {
    this.#form.classList.toggle("is-empty", !this.#text.value.trim());
    this.#text.classList.toggle("by-line", wantsDirections(this.#text.value));
    if (CSS.supports("field-sizing", "content")) return;
    this.#text.style.height = "auto";
    this.#text.style.height = `${Math.min(this.#text.scrollHeight, innerHeight * 0.4)}px`;
  }
}

/**
 * Whether each line is to have a direction of its own: where some are written from right to left, and none is so
 * long that the browser would freeze, as it takes the square of the length.
 * @param {string} text
 */
function wantsDirections(text) {
  return RIGHT_TO_LEFT.test(text) && !text.split("\n").some((line) => line.length > MAX_LINE);
}

/** Keys that would move nothing in the field move the transcript. */
function scrolls({ key, altKey, ctrlKey, metaKey, shiftKey }, text) {
  if (altKey || shiftKey) return false;
  const isCommand = ctrlKey || metaKey; // a Mac has ⌘
  const isPage = !isCommand && (key === "PageUp" || key === "PageDown");
  const isEdge = isCommand && (key === "Home" || key === "End") && !text.value;
  // To read the heights has the page laid out: not for a letter.
  return isEdge || (isPage && text.scrollHeight <= text.clientHeight + 1);
}

function storageKey(key) {
  return `backstay.draft.${key}`;
}
