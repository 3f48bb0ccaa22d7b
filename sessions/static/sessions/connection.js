/** The state of the connection, in the header: a label, and a button for the next try. */

import { byId, setText } from "./dom.js";
import { canHurry, lineText } from "./text.js";

export class ConnectionView {
  #options;

  /** @param {{status: () => any, hurry: () => void, focusElsewhere: () => void}} options */
  constructor(options) {
    this.#options = options;
    byId("line-retry").addEventListener("click", () => options.hurry());
    for (const name of ["online", "offline"]) addEventListener(name, () => this.draw());
  }

  /** Once a second: how long the connection is down. */
  tick() {
    if (this.#options.status().state !== "live") this.draw();
  }

  draw() {
    const status = this.#options.status();
    const { kind, label } = lineText(status, navigator.onLine, Date.now());
    byId("line").dataset.kind = kind;
    byId("line").title = status.reason ? `Last reason: ${status.reason}` : "";
    setText(byId("line-text"), label);
    const hurry = byId("line-retry");
    const isOffered = canHurry(status, Date.now());
    if (!isOffered && document.activeElement === hurry) this.#options.focusElsewhere();
    hurry.hidden = !isOffered;
  }
}
