/**
 * The scroller of the transcript: a reader at its end stays there while it grows, and leaves it by the smallest
 * way up.
 */

/** Who scrolls down so close to the end has come to the end. */
const AT_END_PX = 48;
/** Within so many frames a wheel has moved the scroller, or a box within it took the turn. */
const WHEEL_FRAMES = 20;

export class Scrolling {
  #scroller;
  #onFollow;
  #onUp;
  #following = true;
  #isForm = false;
  #turns = 0; // of the wheel, whose way up has just begun
  #end = 0; // where it stood at the end, as last seen: a banner moves it in the very frame in which a reader comes
  top = 0; // where the scroller was last seen: to read it costs no layout

  /**
   * @param {HTMLElement} scroller @param {HTMLElement} list what grows in it
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

  /** The upper edge of the window, in the viewport. */
  get edge() {
    return this.#scroller.getBoundingClientRect().top;
  }

  /** Whether nothing is below. */
  get isAtEnd() {
    return this.#distance() < 1;
  }

  /** Whether the end is so close that nobody would tell it apart. */
  get isNearEnd() {
    return this.#distance() < AT_END_PX;
  }

  /** @param {boolean} following */
  follow(following) {
    if (following === this.#following) return;
    this.#following = following;
    this.#scroller.toggleAttribute("data-follows", following); // blocks ask whether they are read
    this.#onFollow(following);
  }

  /** A reader at the end is there again, whatever has grown. */
  settle() {
    if (!this.#following || this.#isForm) return;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#look(); // no person has scrolled: another chat may be shorter
  }

  /** @param {number} px the page itself moves the text: no person has scrolled */
  moveBy(px) {
    if (Math.abs(px) > 0.5) this.#scroller.scrollTop += px;
    this.#look();
  }

  /** @param {string} key PageUp, PageDown or Home */
  turn(key) {
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

  #distance() {
    return this.#scroller.scrollHeight - this.#scroller.scrollTop - this.#scroller.clientHeight;
  }

  /** Remembers where the scroller and its end are now. */
  #look() {
    this.top = this.#scroller.scrollTop;
    this.#end = this.#scroller.scrollHeight - this.#scroller.clientHeight;
  }

  #resized() {
    this.settle();
    this.#end = this.#scroller.scrollHeight - this.#scroller.clientHeight;
  }

  /**
   * A person's way up leaves the end, and be it a few pixels: the first frame of a longer way is no more. The way
   * down to the end follows it. What the page itself has moved is at `top` already. A transcript that has become
   * shorter moves its reader up, too, and to the end.
   */
  #scrolled() {
    const moved = this.#scroller.scrollTop - this.top;
    const end = this.#end;
    this.#look();
    if (moved < 0) this.#onUp();
    const isClamped = moved < 0 && !this.#turns && this.isAtEnd;
    const hasCome = moved > 0 && this.top > Math.min(end, this.#end) - AT_END_PX;
    if (this.#isForm || isClamped || hasCome) this.follow(true);
    else if (moved < 0) this.follow(false);
  }

  /** A reader who turns the wheel up is held at the end no longer: an answer that grows would win. @param {WheelEvent} event */
  async #wheeled({ deltaY, ctrlKey }) {
    const { top } = this; // the browser may have moved the scroller before it tells of the wheel
    if (!this.#following || this.#isForm || deltaY >= 0 || ctrlKey || top <= 0) return;
    this.follow(false);
    this.#turns += 1;
    for (let frame = 0; frame < WHEEL_FRAMES; frame += 1) await new Promise(requestAnimationFrame);
    this.#turns -= 1;
    if (this.#following || this.#scroller.scrollTop !== top) return;
    this.follow(true);
    this.settle();
  }
}
