/**
 * What the browser tells about the network and the page, as wakes of the stream.
 *
 * Every one is only a hint: a page may be frozen without a word, and "offline" may be untrue for a server on
 * the same machine. A live stream is probed, a lost one is opened again.
 */

/**
 * @param {{wake: (reason: "online"|"foreground"|"offline") => void}} stream
 * @param {{window?: Window, document?: Document, onBack?: () => void}} [options] onBack: the page is in front again
 */
export function bindLifecycle(stream, { window = globalThis.window, document = globalThis.document, onBack = () => {} } = {}) {
  const back = () => {
    stream.wake("foreground");
    onBack();
  };
  window.addEventListener("online", () => {
    stream.wake("online");
    onBack();
  });
  window.addEventListener("offline", () => stream.wake("offline"));
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && back());
  document.addEventListener("resume", back); // a frozen page goes on
  window.addEventListener("pageshow", (event) => event.persisted && back()); // out of the back-forward cache
}
