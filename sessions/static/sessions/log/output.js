/**
 * The output of a program as a terminal shows it: colours, and lines that are written over. Pure.
 *
 * Kept are the 16 colours of the foreground and bold, `\r`, `\b` and the erasing of a line. Every other control is
 * dropped: nothing in an output moves the screen that shows it. The twin of sessions/text/output.py;
 * tests/golden/output.json holds the two together.
 *
 * @typedef {[style: string, text: string]} Span a run of characters in one style: words such as `bold red`, or nothing
 */

const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const NAMES = [...COLOURS, ...COLOURS.map((name) => `bright-${name}`)];
/** @type {Map<string, string>} */
const BY_CODE = new Map(NAMES.map((name, i) => [String(i < 8 ? 30 + i : 82 + i), name]));

/**
 * A control sequence with its parameters and its final letter, a string for the terminal up to its end or the end of
 * the line, another escape, a single control.
 */
const CONTROL =
  /(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~])|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0b-\x1f\x7f-\x9f]|\n/g;
/** The beginning of a control at the end of a piece. */
const UNFINISHED = /(?:\x1b\[|\x9b)[0-?]*[ -/]*$|\x1b[\]PX^_][^\x07\x1b\n]*\x1b?$|\x1b[ -/]*$/;
/** A string for the terminal that is longer than this has no end. */
const MAX_UNFINISHED = 4_096;
/** The parameters of an extended colour, behind 38 or 48: by number, or by red, green and blue. @type {Record<string, number>} */
const EXTENDED = { 5: 1, 2: 3 };

/** An output that arrives in pieces, however they are cut. */
export class Output {
  /** @type {Span[]} */
  #done = [];
  /** @type {string[]} */
  #characters = [];
  /** @type {string[]} */
  #styles = [];
  #column = 0;
  #style = "";
  #isBold = false;
  #colour = "";
  #held = "";

  /** @param {string} piece */
  add(piece) {
    let text = this.#held + piece;
    const unfinished = UNFINISHED.exec(text.slice(-MAX_UNFINISHED))?.[0] ?? "";
    this.#held = unfinished;
    text = text.slice(0, text.length - unfinished.length);
    let done = 0;
    for (const control of text.matchAll(CONTROL)) {
      this.#write(text.slice(done, control.index));
      this.#obey(control);
      done = control.index + control[0].length;
    }
    this.#write(text.slice(done));
  }

  /** The lines that have ended since the last call. @returns {Span[]} */
  take() {
    const done = this.#done;
    this.#done = [];
    return merged(done);
  }

  /** The line that is being written. @returns {Span[]} */
  get open() {
    return this.#line();
  }

  /** @param {string} text */
  #write(text) {
    for (const character of text) {
      this.#characters[this.#column] = character;
      this.#styles[this.#column] = this.#style;
      this.#column += 1;
    }
  }

  /** @param {RegExpMatchArray} control */
  #obey([whole, parameters, letter]) {
    if (whole === "\n") this.#endLine();
    else if (whole === "\r") this.#column = 0;
    else if (whole === "\b") this.#column = Math.max(0, this.#column - 1);
    else if (letter === "m") this.#paint(parameters);
    else if (letter === "K") this.#erase(parameters);
  }

  #endLine() {
    for (const span of this.#line()) this.#done.push(span);
    this.#done.push(["", "\n"]);
    this.#characters = [];
    this.#styles = [];
    this.#column = 0;
  }

  /** @returns {Span[]} */
  #line() {
    /** @type {Span[]} */
    const spans = [];
    let begin = 0;
    for (let end = 1; end <= this.#styles.length; end += 1) {
      if (end < this.#styles.length && this.#styles[end] === this.#styles[begin]) continue;
      spans.push([this.#styles[begin], this.#characters.slice(begin, end).join("")]);
      begin = end;
    }
    return spans;
  }

  /** Erases to the end of the line, or all of it: then it is written from its beginning. @param {string} part */
  #erase(part) {
    if (part === "2") this.#column = 0;
    if (part !== "" && part !== "0" && part !== "2") return;
    this.#characters.length = this.#column;
    this.#styles.length = this.#column;
  }

  /** @param {string} parameters */
  #paint(parameters) {
    const codes = parameters.split(/[;:]/).values();
    const next = () => codes.next().value ?? "";
    for (const code of codes) {
      if (code === "38" || code === "48") {
        const kind = next();
        const values = Array.from({ length: EXTENDED[kind] ?? 0 }, next);
        if (code === "38") this.#colour = kind === "5" ? named(values[0]) : "";
      } else if (code === "" || code === "0") {
        this.#isBold = false;
        this.#colour = "";
      } else if (code === "1" || code === "22") this.#isBold = code === "1";
      else if (code === "39") this.#colour = "";
      else this.#colour = BY_CODE.get(code) ?? this.#colour;
    }
    this.#style = [this.#isBold ? "bold" : "", this.#colour].filter(Boolean).join(" ");
  }
}

/** The text as it stands at its end, in runs of one style. @param {string} text @returns {Span[]} */
export function spansOf(text) {
  const output = new Output();
  output.add(text);
  return merged([...output.take(), ...output.open]);
}

/** One of the 16 colours by its number among 256; empty for another one. @param {string} number */
function named(number) {
  return /^(?:\d|1[0-5])$/.test(number) ? NAMES[Number(number)] : "";
}

/** Neighbours of one style as one. @param {Span[]} spans @returns {Span[]} */
function merged(spans) {
  /** @type {{style: string, texts: string[]}[]} */
  const runs = [];
  for (const [style, text] of spans) {
    const last = runs.at(-1);
    if (last?.style === style) last.texts.push(text);
    else runs.push({ style, texts: [text] });
  }
  return runs.map(({ style, texts }) => [style, texts.join("")]);
}
