/**
 * Links of answers to other ports of this host.
 *
 * Cookies know no ports: a server there would get this site's log-in cookie with the click. On this machine such a
 * link is led to the other name of loopback, to which the browser sends no cookie of this one.
 */

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

/**
 * @param {string} href an absolute address @param {{hostname: string, origin: string}} here
 * @returns {{href: string, note: string}} note: empty for a link that leads elsewhere
 */
export function ledAway(href, here) {
  const url = parsed(href);
  if (!url || plain(url.hostname) !== plain(here.hostname) || url.origin === here.origin)
    return { href, note: "" };
  if (!LOOPBACK.test(plain(url.hostname)))
    return { href, note: "Another port of this host: it may be the agent’s own server." };
  url.hostname = plain(here.hostname) === "localhost" ? "127.0.0.1" : "localhost";
  return {
    href: url.href,
    note: `Another port of this machine, opened as ${url.hostname}: it gets no log-in of Backstay.`,
  };
}

/** @param {string} href */
function parsed(href) {
  const url = URL.canParse(href) ? new URL(href) : null;
  return url && /^https?:$/.test(url.protocol) ? url : null;
}

/** "localhost." is this host, too. @param {string} hostname */
function plain(hostname) {
  return hostname.replace(/\.$/, "").toLowerCase();
}
