/** Notifications of requests and ended answers, for a person who looks elsewhere and has turned them on. */

import { keep, kept } from "../../transport/browser/storage.js";
import { visible } from "../words/visible.js";
import { notLoaded } from "../dialogs/toasts.js";

const CHOICE = "backstay.notify";
const LOOKED_AT = "backstay.lookedAt";
/** A person who has looked at any tab of this page so recently sees the news there. */
const LOOKED_MS = 2_500;
const NEWS = new Set(["permission_request", "request_reminded", "question_asked", "turn_end"]);
/** An older event comes by a replay and is no news. */
const NEWS_MS = 2 * 60_000;

export class Notifier {
  #options;

  /**
   * @param {{button: HTMLElement, storage: Storage|null, serverNow: () => number, open: (sessionId: string) => void,
   *   refused: () => void}} options
   */
  constructor(options) {
    this.#options = options;
    // A phone's browser takes notifications from service workers alone.
    const isAble =
      "Notification" in window &&
      isSecureContext &&
      options.storage !== null &&
      !matchMedia("(hover: none)").matches;
    options.button.hidden = !isAble;
    options.button.addEventListener("click", () => this.#toggle());
    if (isAble) this.#draw();
    addEventListener("blur", () => this.#isOn && keep(options.storage, LOOKED_AT, null));
  }

  /** Once a second: notes that a person looks. */
  tick() {
    if (this.#isOn && document.hasFocus())
      keep(this.#options.storage, LOOKED_AT, String(Date.now()));
  }

  /** @param {any} frame @param {string} title of its chat */
  async hear(frame, title) {
    if (
      !NEWS.has(frame.type) ||
      !this.#isOn ||
      this.#isLooking() ||
      this.#options.serverNow() - Date.parse(frame.ts) > NEWS_MS
    )
      return;
    const loaded = await import("./news.js").catch(notLoaded);
    const news = loaded?.newsOf(frame);
    if (!news) return;
    const note = new Notification(visible(title), { body: news, tag: frame.sessionId });
    note.onclick = () => {
      window.focus();
      this.#options.open(frame.sessionId);
      note.close();
    };
  }

  get #isOn() {
    return (
      !this.#options.button.hidden &&
      Notification.permission === "granted" &&
      kept(this.#options.storage, CHOICE) === "on"
    );
  }

  #isLooking() {
    return (
      document.hasFocus() ||
      Date.now() - Number(kept(this.#options.storage, LOOKED_AT) ?? 0) < LOOKED_MS
    );
  }

  async #toggle() {
    const wanted = !this.#isOn;
    if (wanted && (await Notification.requestPermission()) !== "granted") this.#options.refused();
    keep(this.#options.storage, CHOICE, wanted ? "on" : "off");
    this.#draw();
  }

  #draw() {
    const { button } = this.#options;
    button.setAttribute("aria-pressed", String(this.#isOn));
    button.title = this.#isOn ? "Notifications are on" : "Notify me when an agent needs me";
  }
}
