/** The changes of prompts that wait: each is sent once, and the log shows its outcome on every device. */

import { byId } from "../elements/dom.js";
import { toast } from "../dialogs/toasts.js";
import { WaitingList } from "./waiting-list.js";

/**
 * The list of the chat that is shown.
 * @param {{actions: any, store: import("../log/store.js").Store, sessionId: () => string|null,
 *   composer: import("./composer.js").Composer}} options
 */
export function createWaiting({ actions, store, sessionId, composer }) {
  const id = () => sessionId() ?? "";
  return new WaitingList(
    byId("waiting"),
    {
      remove: ({ clientMsgId }) => actions.unqueue(id(), clientMsgId),
      move: (names) => actions.reorder(id(), names),
      now: ({ clientMsgId }) =>
        actions.sendNow(id(), store.get(id())?.snapshot.turn?.turnId ?? null, clientMsgId),
      edit: async ({ clientMsgId, message }, text) => {
        const code = await actions.editPrompt(id(), clientMsgId, text, message?.version ?? 1);
        if (code !== "dispatched") return code === "edited";
        toast("The agent has the prompt already. Your text is in the composer.");
        composer.offer(text);
        return true;
      },
    },
    () => composer.focus(),
  );
}
