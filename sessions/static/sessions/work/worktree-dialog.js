/** The end of a chat's worktree: merge, keep or discard, with all that would be lost. */

import { byId, h, setText } from "../elements/dom.js";
import { visible } from "../words/visible.js";

/** @typedef {{branch: string, target: string, state: string, added: number, removed: number,
 *   losses: {files: string[], commits: string[], hasMore: boolean, digest: string}|null}} Facts */

/** @param {any} api @param {string} sessionId @param {Facts} facts @param {() => void} ended */
export function show(api, sessionId, { branch, target, state, losses }, ended) {
  setText(byId("worktree-title"), `Worktree on ${visible(branch)}`);
  const lost = [
    ...(losses?.files ?? []).map((name) => `not committed: ${name}`),
    ...(losses?.commits ?? []).map((line) => `only here: ${line}`),
    ...(losses?.hasMore ? ["and more"] : []),
  ];
  const about = losses ? "All of it is committed, and elsewhere, too." : `It is ${state}.`;
  setText(byId("worktree-about"), lost.length ? "A discard would lose:" : about);
  byId("worktree-losses").replaceChildren(
    ...lost.map((text) => h("li", { text: visible(text), dir: "auto" })),
  );
  const acts = /** @type {[string, string, object][]} */ ([
    ["merge", target ? `Merge into ${visible(target)}` : "", {}],
    ["keep", "Keep", {}],
    ["discard", "Discard", { digest: losses?.digest }],
  ]);
  askWorktree(
    acts
      .filter(([, label]) => losses && label)
      .map(([act, label, body]) => ({
        label,
        isDanger: act === "discard",
        run: async () => {
          await api.endWorktree(sessionId, act, body);
          ended();
        },
      })),
  );
}

/** @param {{label: string, isDanger: boolean, run: () => Promise<any>}[]} acts ends of a worktree */
function askWorktree(acts) {
  const dialog = byId("worktree-dialog");
  const error = byId("worktree-error");
  error.textContent = "";
  const run = async (act) => {
    try {
      await act.run();
      dialog.close();
    } catch (failure) {
      error.textContent = failure instanceof Error ? failure.message : String(failure);
    }
  };
  byId("worktree-acts").replaceChildren(
    ...acts.map((act) =>
      h(act.isDanger ? "button.danger" : "button", {
        type: "button",
        text: act.label,
        onclick: () => run(act),
      }),
    ),
  );
  dialog.showModal();
}
