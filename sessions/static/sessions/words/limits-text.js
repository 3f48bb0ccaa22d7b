/** The limits of a field of a form, in words. Pure. */

/**
 * @param {any} told the field's schema @param {string} zone the browser's time zone
 * @returns {string} empty for a field without limits
 */
export function limitsText(told, zone) {
  const words = { string: textLimits, array: countLimits, number: numberLimits };
  const say = words[told.type === "integer" ? "number" : told.type];
  return say ? say(told, zone).filter(Boolean).join(" · ") : "";
}

/** @type {Record<string, string>} */
const FORMATS = {
  email: "E-mail address",
  uri: "Whole address, such as https://example.org/",
  "date-time": "Day and time",
};

function textLimits({ format, minLength, maxLength, pattern }, zone) {
  const form = FORMATS[format] ?? "";
  const length = spanText(minLength || null, maxLength ?? null);
  return [
    format === "date-time" && zone ? `${form}, time zone ${zone}` : form,
    length && `${length} ${(maxLength ?? minLength) === 1 ? "character" : "characters"}`,
    pattern && `Pattern ${pattern}`,
  ];
}

function countLimits({ minItems, maxItems }) {
  const span = spanText(minItems || null, maxItems ?? null);
  return [span && `Choose ${span.toLowerCase()}`];
}

function numberLimits({ type, minimum, maximum, exclusiveMinimum, exclusiveMaximum }) {
  return [
    type === "integer" ? "Whole number" : "Number",
    spanText(minimum ?? null, maximum ?? null),
    exclusiveMinimum !== undefined && `More than ${exclusiveMinimum}`,
    exclusiveMaximum !== undefined && `Less than ${exclusiveMaximum}`,
  ];
}

/** @param {number|null} least @param {number|null} most */
function spanText(least, most) {
  if (least === null) return most === null ? "" : `At most ${most}`;
  if (most === null) return `At least ${least}`;
  return least === most ? `Exactly ${least}` : `${least} to ${most}`;
}
