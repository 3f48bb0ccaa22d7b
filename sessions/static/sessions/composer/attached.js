/** The files of the prompt that is being written: pasted, dropped or picked, each with a picture and a way out. */

import { keep, keptJson } from "../../transport/browser/storage.js";
import { sizeText } from "../words/counts.js";
import { h, icon, ICONS } from "../elements/dom.js";
import { notLoaded, toast } from "../dialogs/toasts.js";
import { visible } from "../words/visible.js";

/** @typedef {import("../../transport/uploads.js").Attachment} Attachment */

export class Attached {
  #parts;
  #options;
  #key = "";
  /** @type {Attachment[]} */
  #files = [];
  /** Files that are being prepared. */
  #busy = 0;

  /**
   * @param {{form: HTMLElement, text: HTMLTextAreaElement, list: HTMLElement, button: HTMLElement,
   *   input: HTMLInputElement}} parts
   * @param {{files: import("../../transport/browser/files.js").FileStore, storage: Storage|null, maxFiles: number,
   *   maxBytes: number}} options
   */
  constructor(parts, options) {
    this.#parts = parts;
    this.#options = options;
    const { form, text, button, input } = parts;
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      this.add([...(input.files ?? [])]);
      input.value = ""; // the same file may be picked again
    });
    text.addEventListener("paste", (event) => this.#taken(event, event.clipboardData));
    form.addEventListener("dragover", (event) => {
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    });
    form.addEventListener("drop", (event) => this.#taken(event, event.dataTransfer));
  }

  /** Whether a prompt may be empty but for its files. */
  get hasFiles() {
    return this.#files.length > 0;
  }

  /** Whether a file is not ready to be sent. */
  get isBusy() {
    if (this.#busy) toast("The files are being prepared. Send again in a moment.");
    return this.#busy > 0;
  }

  /** Turns to another chat's files. @param {string} key */
  show(key) {
    this.#key = `backstay.attached.${key}`;
    this.#files = keptJson(this.#options.storage, this.#key) ?? [];
    this.#draw();
  }

  /** The same chat under another name. @param {string} key */
  rename(key) {
    const files = this.#files;
    this.#set([]);
    this.#key = `backstay.attached.${key}`;
    this.#set(files);
  }

  /** Hands the files over to the outbox. @returns {Attachment[]} */
  take() {
    const files = this.#files;
    this.#set([]);
    return files;
  }

  /** @param {File[]} files */
  async add(files) {
    const key = this.#key;
    this.#busy += 1;
    const pictures = await import("./pictures.js").catch(notLoaded);
    for (const file of files) {
      if (!pictures) break;
      const ready = await this.#ready(file, pictures).catch(() => null);
      if (!ready) toast(`${visible(file.name)} could not be read.`);
      else if (ready.size > this.#options.maxBytes)
        toast(`${visible(file.name)} is larger than ${sizeText(this.#options.maxBytes)}.`);
      else if (this.#files.length >= this.#options.maxFiles)
        toast(`A prompt has at most ${this.#options.maxFiles} files.`);
      else if (key === this.#key && !this.#files.some(({ blob }) => blob === ready.blob))
        this.#set([...this.#files, ready]);
    }
    this.#busy -= 1;
  }

  /** @param {File} file @param {typeof import("./pictures.js")} pictures @returns {Promise<Attachment>} */
  async #ready(file, pictures) {
    const bytes = await pictures.prepared(file);
    const blob = await pictures.sha256Of(bytes);
    if (bytes.size <= this.#options.maxBytes) await this.#options.files.put(blob, bytes);
    return { blob, name: file.name || "image.png", mime: bytes.type, size: bytes.size };
  }

  /** @param {Event} event @param {DataTransfer|null} data */
  #taken(event, data) {
    const files = [...(data?.files ?? [])];
    if (!files.length) return; // a text
    event.preventDefault();
    this.add(files);
  }

  /** @param {Attachment[]} files */
  #set(files) {
    this.#files = files;
    keep(this.#options.storage, this.#key, files.length ? JSON.stringify(files) : null);
    this.#draw();
  }

  #draw() {
    const { list, form } = this.#parts;
    list.replaceChildren(...this.#files.map((file) => this.#item(file)));
    list.hidden = !this.#files.length;
    form.classList.toggle("has-files", this.hasFiles);
  }

  /** @param {Attachment} file @returns {Promise<HTMLCanvasElement|null>} null: its icon stays */
  async #thumbnail({ blob }) {
    const bytes = await this.#options.files.get(blob);
    const pictures = bytes && (await import("./pictures.js").catch(notLoaded));
    return pictures ? pictures.thumbnail(bytes) : null;
  }

  /** @param {Attachment} file */
  #item(file) {
    const name = visible(file.name);
    const picture = h("span.attached-picture", {}, icon(ICONS.file));
    const remove = () => this.#set(this.#files.filter((other) => other !== file));
    this.#thumbnail(file).then((canvas) => canvas && picture.replaceChildren(canvas));
    return h(
      "li.attached",
      { title: `${name}, ${sizeText(file.size)}` },
      picture,
      h("span.attached-name", { text: name }),
      h(
        "button.icon-button",
        { type: "button", "aria-label": `Remove ${name}`, onclick: remove },
        icon(ICONS.discard),
      ),
    );
  }
}
