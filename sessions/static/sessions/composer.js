/**
 * The composer: what is being written, per chat. Enter sends, Shift+Enter makes a new line, Ctrl+Enter sends and
 * stops the answer that runs: the prompt goes by the outbox first, so no failure of the stop can lose it.
 */

import { isTouch, setText } from "./dom.js";

export class Composer {
  #form;
  #text;
  #send;
  #stop;
  #storage;
  #key = "";
  #on;

  /**
   * @param {{form: HTMLFormElement, text: HTMLTextAreaElement, send: HTMLButtonElement, stop: HTMLButtonElement}} parts
   * @param {{submit: (text: string) => void, interrupt: () => void, stop: () => void, last: () => string}} on
   *   last: the last prompt of this chat
   * @param {Storage|null} storage the tab's: what is written survives a reload
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
    text.addEventListener("input", () => this.#changed());
    stop.addEventListener("click", () =>
      stop.dataset.step === "stop" ? on.stop() : on.interrupt(),
    );
  }

  /** Turns to another chat's text. @param {string} key */
  show(key) {
    this.#key = storageKey(key);
    this.#text.value = this.#read() ?? "";
    this.#fit();
  }

  /** The same chat under another name: whoever is writing goes on. @param {string} key */
  rename(key) {
    this.#write("");
    this.#key = storageKey(key);
    this.#write(this.#text.value);
  }

  /** To go on writing; not where it would open a keyboard over half of the screen. */
  focus() {
    if (!isTouch()) this.#text.focus({ preventScroll: true });
  }

  /** Puts a text in to be sent, without losing one that is being written. @param {string} text */
  offer(text) {
    this.#text.value = this.#text.value.trim() ? `${this.#text.value.trimEnd()}\n\n${text}` : text;
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

  #write(text) {
    try {
      if (text) this.#storage?.setItem(this.#key, text);
      else this.#storage?.removeItem(this.#key);
    } catch {
      // Storage full: the text is still in the field.
    }
  }

  #read() {
    try {
      return this.#storage?.getItem(this.#key) ?? null;
    } catch {
      return null;
    }
  }

  #fit() {
    this.#form.classList.toggle("is-empty", !this.#text.value.trim());
    if (CSS.supports("field-sizing", "content")) return;
    this.#text.style.height = "auto";
    this.#text.style.height = `${Math.min(this.#text.scrollHeight, innerHeight * 0.4)}px`;
  }
}

function storageKey(key) {
  return `backstay.draft.${key}`;
}
