/** Prompts of pages that are gone become prompts of this one: exactly one page takes each of them. */

import { keep, keptJson } from "../browser/storage.js";

/** A page that is being loaded again takes its own prompts back within this time. */
const RELOAD_MS = 2_000;

/**
 * @param {{left: import("./left-copy.js").LeftCopy, storage: Storage, locks: Pick<LockManager, "request">,
 *   clock: import("../clock.js").Clock, outbox: import("../outbox.js").Outbox}} options
 * @returns {Promise<import("../prompts.js").Prompt[]>} those that were not here before
 */
export async function takeOver({ left, storage, locks, clock, outbox }) {
  /** @param {string} name */
  const take = async (name) => {
    await new Promise((resolve) => clock.setTimeout(() => resolve(undefined), RELOAD_MS));
    if (!keptJson(storage, name)) return [];
    await left.hold(); // the prompts have a copy of this page at once
    const copy = keptJson(storage, name);
    const taken = copy ? outbox.takeOver(copy) : [];
    keep(storage, name, null);
    return taken;
  };
  const each = left.others.map((name) =>
    // Its page lives, or another one is at it: then there is no lock to be had.
    locks.request(name, { ifAvailable: true }, (lock) => (lock ? take(name) : [])),
  );
  return (await Promise.all(each)).flat();
}
