/** A log-in that an agent wants before it answers: a sentence, and the way to it. */

import { byId, h } from "../elements/dom.js";

/**
 * @param {{name: string, label: string}} agent name: in addresses; label: in sentences
 * @param {string[]} ways the names of those to log in that it offers
 */
export function logInNote({ name, label }, ways) {
  const { page } = byId("agents").dataset; // of the agents, for staff
  const offered = ways.length ? ` It offers: ${ways.join(", ")}.` : "";
  const hint = page ? " " : " The staff of this server can log in to it.";
  return [
    h("b", { text: "Log-in needed." }),
    ` ${label} wants a log-in before it answers.${offered}${hint}`,
    ...(page ? [h("a", { href: `${page}#agent-${name}`, text: "Log in …" })] : []),
  ];
}

const line = h("p.log-in-note", { id: "agents-log-in", role: "status" });
/** @type {object|null} */
let shown = null;

/** Says below the agents of a new chat that the chosen one wants a log-in. @param {any} agent */
export function showLogIn(agent) {
  const wanted = agent?.logIn ?? null;
  if (wanted === shown) return; // said once
  shown = wanted;
  if (!line.isConnected) byId("agents-note").before(line);
  const names = wanted?.ways.map(({ name }) => name);
  line.replaceChildren(...(wanted ? logInNote(agent, names) : []));
}
