/** Prompts of a tab that is gone are sent from here: the person sees it. */

import { toast } from "../dialogs/toasts.js";

/**
 * @param {import("../../transport/client.js").Client} client
 * @param {import("../page/navigation.js").Navigation} navigation
 */
export async function takeOver(client, navigation) {
  const taken = await client.takeOver();
  if (!taken.length) return;
  const label = taken.length > 1 ? `${taken.length} prompts` : "A prompt";
  const run = () => navigation.open(taken[0].sessionId);
  toast(`${label} of a closed tab will be sent from here.`, { label: "Show", run });
}
