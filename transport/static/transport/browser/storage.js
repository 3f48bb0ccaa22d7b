/**
 * A browser's storage, which may be full or forbidden.
 *
 * A value that cannot be written is removed: an older copy would come back with the next page as if it were true.
 */

/**
 * @param {Storage|null} storage @param {string} key
 * @param {string|null} value null or empty: nothing is to be kept
 * @returns {boolean} whether the storage holds the value now
 */
export function keep(storage, key, value) {
  if (!storage) return !value;
  try {
    if (value) storage.setItem(key, value);
    else storage.removeItem(key);
    return true;
  } catch {
    forget(storage, key);
    return false;
  }
}

/** @param {Storage|null} storage @param {string} key @returns {string|null} */
export function kept(storage, key) {
  try {
    return storage?.getItem(key) ?? null;
  } catch {
    return null;
  }
}

/** @param {Storage|null} storage @param {string} key @returns {any} null unless valid JSON is kept */
export function keptJson(storage, key) {
  try {
    return JSON.parse(kept(storage, key) ?? "null");
  } catch {
    return null;
  }
}

/** @param {Storage} storage @param {string} key */
function forget(storage, key) {
  try {
    storage.removeItem(key);
  } catch {
    // Forbidden: then it holds nothing either.
  }
}
