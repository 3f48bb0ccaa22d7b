/** The scroller of the transcript: a reader at its end follows the end, until the smallest scroll up. */

import { hiddenBelow } from "../elements/dom.js";

/** A scroll down that ends so close to the end has reached it. */
const AT_END_PX = 48;
/** A wheel has moved the scroller within so many frames, or a nested box has taken its turn. */
const WHEEL_FRAMES = 20;

export class Scrolling {
  #scroller;
  #onFollow;
  #onUp;
  #following = true;
  #isForm = false;
  #end = 0; // the top at which the end was last in sight: a banner may move the end before a scroll is told
  top = 0; // in pixels, as last seen: reading it costs no layout

  /**
   * @param {HTMLElement} scroller @param {HTMLElement} list the content, which grows
   * @param {{onFollow: (following: boolean) => void, onUp: () => void}} calls onUp: a person has scrolled up
   */
  constructor(scroller, list, { onFollow, onUp }) {
    this.#scroller = scroller;
    this.#onFollow = onFollow;
    this.#onUp = onUp;
    scroller.toggleAttribute("data-follows", true);
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    scroller.addEventListener("wheel", (event) => this.#wheeled(event), { passive: true });
    // The composer growing, an opened block, a turned phone: a reader at the end stays at the end.
    const observer = new ResizeObserver(() => this.#resized());
    observer.observe(list);
    observer.observe(scroller);
  }

  get following() {
    return this.#following;
  }

  /** The upper edge of the scroller, in pixels of the viewport. */
  get edge() {
    return this.#scroller.getBoundingClientRect().top;
  }

  get isAtEnd() {
    return hiddenBelow(this.#scroller) < 1;
  }

  /** Whether the end is at most some lines away. */
  get isNearEnd() {
    return hiddenBelow(this.#scroller) < AT_END_PX;
  }

  /** @param {boolean} following whether the reader stays at the end while the content grows */
  follow(following) {
    if (following === this.#following) return;
    this.#following = following;
    this.#scroller.toggleAttribute("data-follows", following); // text-block.js reads it
    this.#onFollow(following);
  }

  /** Moves a reader who follows the end to the end. */
  toEnd() {
    if (!this.#following || this.#isForm) return;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#remember();
  }

  /** Moves the scroller for the page, as no person does. @param {number} px downwards */
  moveBy(px) {
    if (Math.abs(px) > 0.5) this.#scroller.scrollTop += px;
    this.#remember();
  }

  /** Scrolls as a person does. @param {string} key PageUp, PageDown or Home */
  scroll(key) {
    const page = Math.max(40, this.#scroller.clientHeight - 60);
    if (key === "Home") this.#scroller.scrollTop = 0;
    else this.#scroller.scrollTop += key === "PageUp" ? -page : page;
  }

  /** A form stands in the transcript's place: it is read from its top. @param {boolean} hold */
  holdTop(hold) {
    if (hold && !this.#isForm) this.#scroller.scrollTop = 0;
    this.#isForm = hold;
    if (hold) this.follow(true);
  }

  /** Takes the present position as seen: the scroll event that follows tells of no person. */
  #remember() {
    this.top = this.#scroller.scrollTop;
    this.#end = this.#scroller.scrollHeight - this.#scroller.clientHeight;
  }

  /** Content or window has changed its size: the end may have come to the reader. */
  #resized() {
    if (this.isAtEnd) this.follow(true);
    this.toEnd();
    this.#remember();
  }

  /**
   * A person has scrolled: a scroll up leaves the end, if only by a pixel, and one down to the end follows it.
   * Content that has become shorter moves its reader up as well, and leaves them at the end.
   */
  #scrolled() {
    const moved = this.#scroller.scrollTop - this.top;
    const end = this.#end;
    this.#remember();
    if (moved < 0) this.#onUp();
    const hasCome = moved > 0 && this.top > Math.min(end, this.#end) - AT_END_PX;
    if (this.#isForm || hasCome) this.follow(true);
    else if (moved < 0 && !this.isAtEnd) this.follow(false);
  }

  /**
   * A wheel is turned up: the end is left at once, since the scroll itself comes in a later frame than the next
   * piece of an answer may. It is followed again where a nested box has scrolled instead.
   * @param {WheelEvent} event
   */
  async #wheeled({ deltaY, ctrlKey }) {
    const { top } = this; // the scroller itself may have moved before its wheel event
    if (!this.#following || this.#isForm || deltaY >= 0 || ctrlKey || top <= 0) return;
    this.follow(false);
    for (let frame = 0; frame < WHEEL_FRAMES; frame += 1) await new Promise(requestAnimationFrame);
    if (this.#following || this.#scroller.scrollTop !== top) return;
    this.follow(true);
    this.toEnd();
  }
}
