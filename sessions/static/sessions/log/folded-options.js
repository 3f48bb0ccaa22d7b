/** The settings of an agent as the fold keeps them; the one of the category `mode` holds the mode. Pure. */

/** @typedef {import("./fold.js").ConfigOption} ConfigOption */

/** The settings once an agent has another mode. @param {ConfigOption[]} options @param {string} mode */
export function inMode(options, mode) {
  return changed(options, (option) => isMode(option, mode), mode);
}

/**
 * The settings once one of them has another value, and the mode where that one holds it.
 * @param {ConfigOption[]} options @param {string} id @param {any} value @returns {{options: ConfigOption[], mode?: string}}
 */
export function withValue(options, id, value) {
  const holdsMode = options.some((option) => option.id === id && isMode(option, value));
  const after = changed(options, (option) => option.id === id, value);
  return { options: after, ...(holdsMode && { mode: value }) };
}

/** Whether a setting holds the mode and offers this one. @param {ConfigOption} option @param {any} mode */
function isMode({ category, choices }, mode) {
  return category === "mode" && choices.some(({ id }) => id === mode);
}

/** @param {ConfigOption[]} options @param {(option: ConfigOption) => boolean} matches @param {any} value */
function changed(options, matches, value) {
  const place = options.findLastIndex(matches);
  return options.map((option, i) => (i === place ? { ...option, value } : option));
}
