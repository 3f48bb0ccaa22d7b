/** The page's addresses: all begin with the path below which a proxy may serve Backstay. */

/** The base path without its last slash; empty where the site is at the root of its host. */
export const base = () => (document.documentElement.dataset.home ?? "/").slice(0, -1);

/** @param {string} path from the root of the site, such as "/api/agents" */
export const under = (path) => base() + path;
