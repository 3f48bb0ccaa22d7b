/**
 * Raw Markdown that grows, in parts: blocks of code without their fences, and the text around them. Pure.
 *
 * A line that has ended keeps its meaning, so each longer text is read from its last line on.
 *
 * @typedef {{isCode: boolean, isOpen: boolean, language: string, text: string}} Part isOpen: its fence is not closed; the last one only;
 *   language: "" where none is named
 * @typedef {{isCode: boolean, language: string, from: number, to: number, indent: number, marks: string}} Range
 *   of a text; marks: those that the closing fence has at least
 */

const OPENING = /^([ \t]*)(?:(`{3,})([^`]*)|(~{3,})(.*))$/;
const MARKS = /^(?:`+|~+)$/;
const LANGUAGE = /^[a-z0-9+#-]{1,24}$/;
/** A closing fence stands at most so far behind the column of its opening one. */
const MAX_SHIFT = 3;
const BLANK_LINES = /^(?:[ \t]*\r?\n)+/;

/** The text without the blank lines that it begins with. @param {string} text */
export function withoutBlankLines(text) {
  return text.replace(BLANK_LINES, "");
}

export class Fences {
  #text = "";
  /** The beginning of the last line. */
  #line = 0;
  /** @type {Range[]} those that have ended, and the last one, which is open */
  #ranges = [textFrom(0)];

  /** @param {string} text all of it so far @returns {Part[]} at least one */
  read(text) {
    if (!text.startsWith(this.#text)) {
      this.#line = 0;
      this.#ranges = [textFrom(0)];
    }
    this.#text = text;
    for (let end = text.indexOf("\n", this.#line); end >= 0; end = text.indexOf("\n", this.#line)) {
      this.#take(withoutReturn(text.slice(this.#line, end)), end + 1);
      this.#line = end + 1;
    }
    const ranges = this.#told();
    const parts = ranges.map((range, i) => partOf(text, range, i > 0, i === ranges.length - 1));
    const shown = parts.filter(({ isCode, text }) => isCode || text.trim());
    return shown.length ? shown : [parts[0]];
  }

  /** Takes a line that has ended. @param {string} line @param {number} next the beginning of the next one */
  #take(line, next) {
    const open = this.#ranges[this.#ranges.length - 1];
    const found = open.isCode ? closes(line, open) && textFrom(next) : codeFrom(line, next);
    if (!found) return;
    open.to = this.#line;
    this.#ranges.push(found);
  }

  /** The ranges with what the last line seems to become. @returns {Range[]} */
  #told() {
    const open = this.#ranges[this.#ranges.length - 1];
    const length = this.#text.length;
    const line = withoutReturn(this.#text.slice(this.#line));
    const before = this.#ranges.slice(0, -1);
    if (open.isCode) {
      const to = mayClose(line, open) ? this.#line : length;
      return [...before, { ...open, to }];
    }
    const code = codeFrom(line, length);
    if (!code) return [...before, { ...open, to: length }];
    return [...before, { ...open, to: this.#line }, { ...code, language: "", to: length }];
  }
}

/** @param {number} from @returns {Range} */
function textFrom(from) {
  return { isCode: false, language: "", from, to: from, indent: 0, marks: "" };
}

/** @param {string} line @param {number} from @returns {Range|null} null where the line opens no code */
function codeFrom(line, from) {
  const [, indent = "", ticks, tickInfo, waves, waveInfo] = OPENING.exec(line) ?? [];
  const marks = ticks ?? waves;
  if (!marks) return null;
  const [word] = (tickInfo ?? waveInfo).trim().toLowerCase().split(" ");
  const language = LANGUAGE.test(word) ? word : "";
  return { isCode: true, language, from, to: from, indent: indent.length, marks };
}

/** @param {string} line @param {Range} code */
function closes(line, code) {
  return mayClose(line, code) && line.trim().length >= code.marks.length;
}

/** Whether a line is the closing fence of some code, or its beginning. @param {string} line @param {Range} code */
function mayClose(line, { indent, marks }) {
  const bare = line.trim();
  return bare[0] === marks[0] && MARKS.test(bare) && line.indexOf(bare) <= indent + MAX_SHIFT;
}

/** @param {string} text @param {Range} range @param {boolean} isBehind code @param {boolean} isOpen @returns {Part} */
function partOf(text, { isCode, language, from, to, indent }, isBehind, isOpen) {
  const piece = text.slice(from, to);
  // The last line feed of a block is no line of its own; before a caret it would be one.
  if (isCode)
    return {
      isCode,
      isOpen,
      language,
      text: outdented(isOpen ? withoutFeed(piece) : piece, indent),
    };
  const begun = isBehind ? withoutBlankLines(piece) : piece;
  return { isCode, isOpen, language, text: isOpen ? begun : begun.trimEnd() };
}

/** @param {string} code @param {number} columns of its opening fence */
function outdented(code, columns) {
  return columns ? code.replace(new RegExp(`^[ \\t]{1,${columns}}`, "gm"), "") : code;
}

/** @param {string} text */
function withoutFeed(text) {
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}

/** @param {string} line */
function withoutReturn(line) {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}
