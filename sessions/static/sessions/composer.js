/**
 * The composer: the text being written, per chat. Enter sends, Shift+Enter makes a new line, Ctrl+Enter sends and
 * stops the answer that runs: the prompt goes by the outbox first, so no failure of the stop can lose it.
 */

import { keep, kept } from "../transport/storage.js";
import { isTouch, setText } from "./dom.js";

/** The longest line whose direction the browser finds out. */
const MAX_LINE = 16_384;
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

  /**
   * @param {{form: HTMLFormElement, text: HTMLTextAreaElement, send: HTMLButtonElement, stop: HTMLButtonElement}} parts
   * @param {{submit: (text: string) => void, interrupt: () => void, stop: () => void, last: () => string}} on
   *   last: the last prompt of this chat
   * @param {Storage|null} storage the tab's: a text survives a reload
   */
  constructor({ form, text, send, stop }, on, storage) {
    this.#form = form;
    this.#text = text;
    this.#send = send;
    this.#stop = stop;
    this.#on = on;
    this.#storage = storage;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    text.addEventListener("keydown", (event) => this.#keydown(event));
    text.addEventListener("beforeinput", ({ data }) => {
      if (data && data.length > MAX_LINE) text.classList.remove("by-line"); // before it is laid out
    });
    text.addEventListener("input", () => this.#changed());
    // One press asks once: a double click or a held key must not force the stop that it has just asked for.
    stop.addEventListener("keydown", (event) => event.repeat && event.preventDefault());
    stop.addEventListener("click", ({ detail }) => {
      if (detail > 1) return;
      if (stop.dataset.step === "stop") on.stop();
      else on.interrupt();
    });
  }

  /** Whether a text is written that no reload would bring back. */
  get isAtRisk() {
    return !this.#isKept && this.#text.value.trim() !== "";
  }

  /** Turns to another chat's text. @param {string} key */
  show(key) {
    this.#key = storageKey(key);
    this.#put(this.#read() ?? "");
    this.#fit();
  }

  /** The same chat under another name: its text stays. @param {string} key */
  rename(key) {
    this.#write("");
    this.#key = storageKey(key);
    this.#write(this.#text.value);
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
   * @param {{running: boolean, stopping: boolean, disabled: boolean}} state
   */
  draw({ running, stopping, disabled }) {
    if (!running && document.activeElement === this.#stop) this.focus();
    this.#stop.hidden = !running;
    this.#stop.dataset.step = stopping ? "stop" : "interrupt";
    setText(
      this.#stop.querySelector(".label") ?? this.#stop,
      stopping ? "Stopping. Force it" : "Stop",
    );
    this.#text.disabled = disabled;
    this.#text.placeholder = running ? "Queue the next prompt" : "Write a prompt";
    this.#send.setAttribute("aria-label", running ? "Queue the prompt" : "Send the prompt");
  }

  #keydown(event) {
    if (event.isComposing || event.keyCode === 229) return; // Enter chooses a candidate of an input method
    if (event.key === "Escape" && !this.#stop.hidden) {
      event.preventDefault();
      this.#on.interrupt();
    }
    if (event.key === "ArrowUp" && !this.#text.value && this.#on.last()) {
      event.preventDefault();
      this.offer(this.#on.last());
    }
    // A keyboard on the screen has no Shift+Enter.
    if (
      event.key !== "Enter" ||
      event.shiftKey ||
      event.altKey ||
      (isTouch() && !event.ctrlKey && !event.metaKey)
    )
      return;
    event.preventDefault();
    const isRunning = !this.#stop.hidden;
    if (this.#submit() && isRunning && (event.ctrlKey || event.metaKey)) this.#on.interrupt();
  }

  #put(text) {
    this.#text.classList.remove("by-line");
    this.#text.value = text;
  }

  #submit() {
    const text = this.#text.value;
    if (!text.trim() || this.#text.disabled) return false;
    this.#on.submit(text);
    this.#text.value = "";
    this.#changed();
    return true;
  }

  #changed() {
    this.#fit();
    this.#write(this.#text.value);
  }

  /** Keeps the text for a reload. */
  #write(text) {
    this.#isKept = keep(this.#storage, this.#key, text);
  }

  #read() {
    return kept(this.#storage, this.#key);
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

function storageKey(key) {
  return `backstay.draft.${key}`;
}
