/**
 * Hints of the browser about the network and the page, for the stream.
 *
 * Every word is only a hint: a page may be frozen without one, and "offline" may be untrue for a server on
 * the same machine. A live stream is probed, a lost one is opened again.
 */

import { systemClock } from "../clock.js";

/**
 * A page on a desktop that is hidden is not yet left: people look at another tab and come back. A phone's
 * page may be frozen the next moment, so it tells at once.
 */
const HIDDEN_MS = 5 * 60_000;

/**
 * @param {import("./shared-stream.js").SharedStream} stream
 * @param {{window?: any, document?: any, clock?: import("../clock.js").Clock, onBack?: () => void}} [options]
 *   onBack: the page is in front, or the network there, again
 */
export function bindLifecycle(
  stream,
  {
    window = globalThis.window,
    document = globalThis.document,
    clock = systemClock,
    onBack = () => {},
  } = {},
) {
  let hidden = null;
  const isPhone = () => window.matchMedia("(hover: none) and (pointer: coarse)").matches;

  const back = () => {
    clock.clearTimeout(hidden);
    stream.thaw();
    stream.see(true);
    stream.wake("foreground");
    onBack();
  };
  const away = () => {
    clock.clearTimeout(hidden);
    if (isPhone()) stream.see(false);
    else hidden = clock.setTimeout(() => stream.see(false), HIDDEN_MS);
  };

  document.addEventListener("visibilitychange", () =>
    document.visibilityState === "visible" ? back() : away(),
  );
  document.addEventListener("freeze", () => stream.freeze());
  document.addEventListener("resume", () =>
    document.visibilityState === "visible" ? back() : stream.thaw(),
  );
  window.addEventListener("online", () => {
    stream.wake("online");
    onBack();
  });
  window.addEventListener("offline", () => stream.wake("offline"));
  window.addEventListener("pagehide", () => stream.close());
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return; // only out of the back-forward cache: a new page opens by itself
    stream.open();
    back();
  });
  if (document.visibilityState === "hidden") away(); // opened in the background
}
