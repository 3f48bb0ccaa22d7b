/** The storage and the cookies of this page. */

/**
 * Storage may be forbidden; the page works without it.
 * @param {"sessionStorage"|"localStorage"} name
 * @returns {Storage|null}
 */
export function storageOf(name) {
  try {
    return window[name];
  } catch {
    return null;
  }
}

/** @param {string} name @returns {string} empty when there is no such cookie */
export function cookieOf(name) {
  return new RegExp(`(?:^|; )${name}=([^;]*)`).exec(document.cookie)?.[1] ?? "";
}
