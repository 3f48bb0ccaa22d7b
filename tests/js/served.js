/**
 * Modules are resolved as the browser resolves them: both static folders are served as /static/.
 * For `node --import`.
 */

import { register } from "node:module";
import { isMainThread } from "node:worker_threads";

const SERVED = /\/(sessions|transport)\/static\/(?=(sessions|transport)\/)/;

/** A hook of node's module loader: "…/sessions/static/transport/x.js" lies in "…/transport/static/transport/x.js". */
export function resolve(specifier, context, next) {
  if (!specifier.startsWith(".") || !context.parentURL) return next(specifier, context);
  const url = new URL(specifier, context.parentURL).href;
  return next(url.replace(SERVED, "/$2/static/"), context);
}

if (isMainThread) register(import.meta.url); // the hooks run in a thread that loads this module too
