/**
 * Going back to the moment before a prompt: the choice, with the changes that it would undo.
 */

import { isDone } from "../../transport/commands.js";
import { partnersOf, rowElements } from "../diff/diff-rows.js";
import { h, setText } from "../elements/dom.js";
import { under } from "../server/paths.js";
import { visible } from "../words/visible.js";
import { rowsOf } from "../work/change-item.js";

const CHOICES = [
  { id: "both", label: "Restore the files and take the messages back", files: true, chat: true },
  { id: "files", label: "Restore the files only", files: true, chat: false },
  { id: "chat", label: "Take the messages back only", files: false, chat: true },
  { id: "fork", label: "Fork: continue from here in another chat", files: false, chat: false },
];
const AGENT_NOTE =
  "The agent begins a session of its own. With the next prompt it is told what was said until then.";

/**
 * Asks how far to go back, and does it.
 * @param {{api: any, actions: any, sessionId: string, hasProject: boolean, prompt: any, offer: (text: string) => void}} options
 *   hasProject: a fork may work in a worktree of its folder
 */
export async function askBack({ api, actions, sessionId, hasProject, prompt, offer }) {
  const { seq, text, checkpointId } = prompt;
  const choices = CHOICES.filter(({ files }) => checkpointId || !files);
  let chosen = choices[0];
  const list = h("ul.work-list.back-list", { "aria-label": "Changes that are undone" });
  const listed = h("div", {}, h("p.muted", { text: "These changes are undone:" }), list);
  const note = h("p.muted", { role: "status" });
  const branch = /** @type {HTMLInputElement} */ (
    h("input", { type: "text", autocapitalize: "none", spellcheck: "false", maxlength: 200 })
  );
  const branches = h("label.back-branch", {}, "New branch, for a worktree of its own ", branch);
  const error = h("p.field-error", { role: "alert" });
  const submit = /** @type {HTMLButtonElement} */ (
    h("button.primary", { type: "submit", text: "Go back" })
  );
  const choose = () => {
    listed.hidden = !chosen.files;
    branches.hidden = chosen.id !== "fork" || !hasProject;
    setText(submit, chosen.id === "fork" ? "Fork" : "Go back");
    setText(note, chosen.id === "files" ? "" : AGENT_NOTE);
  };
  const radios = choices.map((choice, i) =>
    h(
      "label.back-choice",
      {},
      h("input", {
        type: "radio",
        name: "back",
        value: choice.id,
        checked: i === 0,
        onchange: () => {
          chosen = choice;
          choose();
        },
      }),
      ` ${choice.label}`,
    ),
  );
  const cancel = h("button.quiet", { type: "button", text: "Cancel" });
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { text: "Go back to before this prompt" }),
    h("p.back-prompt", { text: visible(text.slice(0, 200)) }),
    !checkpointId && h("p.muted", { text: "The files of before this prompt were not kept." }),
    h("fieldset.back-choices", {}, ...radios),
    branches,
    listed,
    note,
    error,
    h("div.dialog-buttons", {}, cancel, submit),
  );
  const dialog = /** @type {HTMLDialogElement} */ (
    h("dialog.back-dialog", { "aria-label": "Go back to before this prompt" }, form)
  );
  cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    const how = { ...chosen, branch: branch.value.trim() };
    const answer = await actions.goBack(sessionId, seq, how);
    submit.disabled = false;
    if (!answer || !isDone(answer)) {
      setText(error, answer?.body?.error ?? "The server cannot be reached.");
      return;
    }
    dialog.close();
    if (chosen.chat) offer(text);
    if (chosen.id === "fork") location.assign(under(`/s/${answer.body.sessionId}`));
  });
  document.body.append(dialog);
  choose();
  dialog.showModal();
  if (checkpointId) await drawChanges(list, (path) => api.changes(sessionId, { to: seq, path }));
}

/** @param {HTMLElement} list @param {(path?: string) => Promise<any>} load */
async function drawChanges(list, load) {
  list.replaceChildren(h("li.muted", { text: "Looking at the folder" }));
  try {
    const { files, hasMore } = await load();
    const rows = files.map((/** @type {any} */ row) => changeRow(row, () => load(row.path)));
    if (!files.length) rows.push(h("li.muted", { text: "No file has changed since then." }));
    if (hasMore) rows.push(h("li.muted", { text: "There are more." }));
    list.replaceChildren(...rows);
  } catch (failure) {
    const text = failure instanceof Error ? failure.message : "The changes could not be loaded.";
    list.replaceChildren(h("li.field-error", { text }));
  }
}

const STATES = { new: "is removed", deleted: "comes back" };

/** @param {any} row @param {() => Promise<any>} load */
function changeRow({ path, status, added, removed }, load) {
  const body = h("div.change-body");
  const summary = h(
    "summary",
    {},
    h("span.change-path", { translate: "no", text: visible(path) }),
    h("span.change-state", { text: STATES[/** @type {"new"} */ (status)] ?? "is set back" }),
    h("span.diff-count", { text: added === null ? "" : `+${added} −${removed}` }),
  );
  const details = /** @type {HTMLDetailsElement} */ (h("details", {}, summary, body));
  details.addEventListener("toggle", async () => {
    if (!details.open || body.firstChild) return;
    const { diff } = await load().catch(() => ({ diff: null }));
    const rows = diff ? rowsOf(diff.hunks, null) : [];
    const why = diff?.why || (rows.length ? "" : "There is no diff to show.");
    if (why) body.replaceChildren(h("p.muted", { text: why }));
    else
      body.replaceChildren(
        h(
          "pre.diff-rows.code-rows",
          { tabindex: "0", translate: "no" },
          ...rowElements(rows, partnersOf(rows)),
        ),
      );
  });
  return h("li.change", {}, details);
}
