/** The terminal of an agent's log-in: its output, its links and codes, and what a person types. */

import { addressLink } from "../elements/address-link.js";
import { storageOf } from "../server/browser.js";
import { h, hiddenBelow } from "../elements/dom.js";
import { keptKeys } from "../server/origin-key.js";
import { Output } from "../log/output.js";
import { OutputView } from "../answers/output-view.js";
import { base } from "../server/paths.js";

const LOOK_MS = 500;
const MOST = 5;
/** A link that has ended, so that no half of one is offered. */
const LINK = /https?:\/\/[\x21-\x7e]+(?=\s)/g;
/** The codes of devices, such as ABCD-1234. */
const CODE = /(?<![\w/=&?-])[A-Z0-9]{4}-[A-Z0-9]{4,5}(?![\w-])/g;
const RETURN = "\r";

/** The links and codes in an output, the last ones. @param {string} text without controls */
export function foundIn(text) {
  const links = [...text.matchAll(LINK)].map(([link]) => link.replace(/[).,;'"\]>]+$/, ""));
  const codes = [...text.matchAll(CODE)].map(([code]) => code);
  return { links: [...new Set(links)].slice(-MOST), codes: [...new Set(codes)].slice(-MOST) };
}

/** The text of an output as it stands on a screen. @param {string} text */
export function plain(text) {
  const output = new Output();
  output.add(text);
  return [...output.take(), ...output.open].map(([, part]) => part).join("");
}

class Terminal {
  #form;
  /** @type {string[][]} */
  #fields;
  #view;
  #text = "";
  #since = 0;
  #hasEnded = false;
  /** @type {string[]} */
  #typed = [];
  #wake = () => {};

  /** @param {HTMLFormElement} form */
  constructor(form) {
    this.#form = form;
    // Read before the end disables them.
    this.#fields = [...new FormData(form)].map(([name, value]) => [name, String(value)]);
    this.#view = new OutputView(part("output"));
    const field = /** @type {HTMLInputElement} */ (part("typed"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      // Programs that read keys take a return for one when it comes by itself.
      this.#type(...[field.value, RETURN].filter(Boolean));
      field.value = "";
    });
    for (const button of form.querySelectorAll("[data-key]"))
      button.addEventListener("click", () =>
        this.#type(/** @type {HTMLElement} */ (button).dataset.key ?? ""),
      );
    addEventListener("pagehide", () => this.#leave());
    addEventListener("pageshow", (event) => event.persisted && location.reload());
  }

  /** Looks at the output until the log-in has ended. */
  async run() {
    while (!this.#hasEnded) {
      const typed = this.#typed.shift() ?? "";
      try {
        await this.#turn(typed);
      } catch {
        if (typed) this.#typed.unshift(typed);
      }
      if (!this.#typed.length) await this.#pause();
    }
  }

  /** @param {...string} typed */
  #type(...typed) {
    this.#typed.push(...typed);
    this.#wake();
  }

  #pause() {
    return new Promise((resolve) => {
      this.#wake = () => resolve(undefined);
      setTimeout(resolve, LOOK_MS);
    });
  }

  /** @param {string} typed */
  async #turn(typed) {
    const body = this.#body({ since: String(this.#since), typed });
    const response = await fetch(this.#form.action, { method: "POST", body, redirect: "manual" });
    if (response.status === 404 || response.status === 403)
      return this.#end("This log-in has ended.");
    if (!response.ok) throw new Error(String(response.status));
    const { text, since, ended } = await response.json();
    this.#since = since;
    if (text) this.#show(text);
    if (ended) this.#end(ended);
  }

  /** @param {string} text */
  #show(text) {
    this.#text += text;
    const output = part("output");
    const isFollowed = hiddenBelow(output) < 1;
    this.#view.set(this.#text);
    if (isFollowed) output.scrollTop = output.scrollHeight;
    const { links, codes } = foundIn(plain(this.#text));
    part("links").replaceChildren(
      ...links.map((link) => h("li", {}, addressLink(link))),
      ...codes.map((code) => h("li", {}, h("code.secret", { text: code }))),
    );
  }

  /** @param {string} sentence */
  #end(sentence) {
    this.#hasEnded = true;
    part("ended").textContent = sentence;
    part("ended").hidden = false;
    for (const field of this.#form.elements)
      /** @type {HTMLInputElement} */ (field).disabled = true;
  }

  #leave() {
    navigator.sendBeacon(this.#form.action, this.#body({ leave: "1" })); // its files go, too
  }

  /** @param {Record<string, string>} fields */
  #body(fields) {
    const body = new URLSearchParams(fields);
    for (const [name, value] of this.#fields) body.set(name, value);
    body.set("origin_key", keptKeys(storageOf("localStorage"), base()));
    return body;
  }
}

/** @param {string} id */
function part(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

if (globalThis.document)
  new Terminal(/** @type {HTMLFormElement} */ (document.getElementById("terminal"))).run();
