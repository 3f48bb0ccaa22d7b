/**
 * text/event-stream, cut into frames.
 *
 * The page reads its stream by fetch rather than by EventSource: EventSource hides the status (401 and
 * 429 look like a broken line) and reconnects by its own clock, without our cursors.
 */

export class FrameParser {
  #rest = "";
  #data = [];
  #event = "";
  #id = "";
  #endedWithCr = false;
  #onFrame;

  /** @param {(frame: {event: string, id: string, data: string}) => void} onFrame */
  constructor(onFrame) {
    this.#onFrame = onFrame;
  }

  /** Takes the next piece of text, wherever the network cut it. @param {string} text */
  push(text) {
    let fresh = text;
    if (this.#endedWithCr && fresh.startsWith("\n")) fresh = fresh.slice(1);
    this.#endedWithCr = text.endsWith("\r");
    if (fresh.includes("\r")) fresh = fresh.replace(/\r\n?/g, "\n");
    const lines = (this.#rest + fresh).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#line(line);
  }

  #line(line) {
    if (line === "") {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment: keeps the line warm, says nothing
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id") this.#id = value;
  }

  #dispatch() {
    if (this.#data.length) {
      this.#onFrame({ event: this.#event || "message", id: this.#id, data: this.#data.join("\n") });
    }
    this.#data = [];
    this.#event = "";
    this.#id = "";
  }
}
