/** The page's way to show a file of the chat's folder. */

/** @type {(path: string, line: number|null) => void} */
let open = () => {};

/** @param {(path: string, line: number|null) => void} own */
export function openPathsBy(own) {
  open = own;
}

/** @param {string} path @param {number|null} line */
export function openPath(path, line) {
  open(path, line);
}
