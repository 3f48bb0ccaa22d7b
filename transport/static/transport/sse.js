/**
 * text/event-stream, cut into frames.
 *
 * The page reads its stream by fetch rather than by EventSource: EventSource hides the status (401 and
 * 429 look like a broken line) and reconnects by its own clock, without our cursors.
 */

import { jsonOf } from "./commands.js";

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

/**
 * The JSON object of a frame, with its type.
 * @param {{event: string, data: string}} frame @returns {any} null when there is none
 */
export function messageOf({ event, data }) {
  const message = jsonOf(data);
  return message && event !== "message" ? { type: event, ...message } : message;
}

/** Whether a message moves a cursor: an event of the log, or a snapshot. @param {any} message */
export function isApplied({ seq, type }) {
  return seq !== undefined || type === "session_snapshot";
}
