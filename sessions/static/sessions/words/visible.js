/**
 * Text whose every character can be seen: a mark in place of each one that hides or reorders. Pure.
 *
 * A person approves a command by reading it, so the screen shows every character of it. The twin of
 * sessions/text/visible.py; both are held to one golden file (tests/golden/visible.json).
 */

/**
 * Controls, format characters, halves of characters, separators, and everything that draws nothing: variation
 * selectors, fillers, tags. Three blanks more are filed under symbols and marks.
 */
const HIDDEN =
  /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800\u{1d159}\u{16fe4}]/gu;

const ZWNJ = "\u200c";
const ZWJ = "\u200d";
const EMOJI_SELECTOR = /^[\ufe0e\ufe0f]$/u;
const SKIN_TONE = /^[\u{1f3fb}-\u{1f3ff}]$/u;
const IDEOGRAPHIC_SELECTOR = /^[\u{e0100}-\u{e01ef}]$/u;
const IDEOGRAPH = /^\p{Unified_Ideograph}$/u;
const SYMBOL = /^(?![\p{ASCII}\u2800\u{1d159}])[\p{So}\p{Sm}\u203c\u2049\u3030\u303d]$/u;
const KEYCAP_BASE = /^[0-9#*]$/;
const KEYCAP = "\u20e3";
/** Letters of the scripts whose letters join one another. */
const JOINING = /^(?=\p{L})[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]$/u;
/** The signs that join the consonants of Indic scripts (canonical combining class 9). */
const VIRAMA = new RegExp(
  "^[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d3b\u0d3c\u0d4d\u0dca\u0e3a\u0eba\u0f84\u1039\u103a" +
    "\u1714\u1715\u1734\u17d2\u1a60\u1b44\u1baa\u1bab\u1bf2\u1bf3\ua806\ua82c\ua8c4\ua953\ua9c0\uaaf6\uabed]$",
  "u",
);

/**
 * Newline, tab and every kind of space stay as they are; so do joiners and selectors where a script or an
 * emoji needs them.
 * @param {string} text @returns {string} with ⟨U+202E⟩ and the like for each character that cannot be seen
 */
export function visible(text) {
  return text.replace(HIDDEN, (character, /** @type {number} */ at) =>
    isInPlace(text, at, character) ? character : markOf(character),
  );
}

/** @param {string} character */
function markOf(character) {
  const code = /** @type {number} */ (character.codePointAt(0));
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

/**
 * Whether a script or an emoji needs the hidden character at this place.
 * @param {string} text @param {number} at @param {string} character
 */
function isInPlace(text, at, character) {
  const [further = "", before = ""] = lastTwo(text, at);
  const after = firstOf(text, at + character.length);
  if (!before) return false;
  if (character === ZWJ && SYMBOL.test(after) && endsEmoji(further, before)) return true;
  if (character === ZWJ || character === ZWNJ) return joinsLetters(before, after);
  if (EMOJI_SELECTOR.test(character)) {
    return SYMBOL.test(before) || (KEYCAP_BASE.test(before) && after === KEYCAP);
  }
  return IDEOGRAPHIC_SELECTOR.test(character) && IDEOGRAPH.test(before);
}

/** An emoji may end with its skin tone or its selector. @param {string} further @param {string} last */
function endsEmoji(further, last) {
  const isEnding = EMOJI_SELECTOR.test(last) || SKIN_TONE.test(last);
  return SYMBOL.test(isEnding && further ? further : last);
}

/** A joiner shapes the letters around it, as Persian and Hindi write them. */
function joinsLetters(before, after) {
  if (!after) return false;
  return VIRAMA.test(before) || VIRAMA.test(after) || (JOINING.test(before) && JOINING.test(after));
}

/** The two characters in front of a place; the first is missing at the beginning of the text. */
function lastTwo(text, at) {
  const two = [...text.slice(Math.max(0, at - 4), at)].slice(-2);
  return two.length === 2 ? two : ["", ...two];
}

function firstOf(text, at) {
  return [...text.slice(at, at + 2)][0] ?? "";
}
