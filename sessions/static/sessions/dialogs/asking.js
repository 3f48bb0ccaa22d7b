/** Dialogs that ask before something is done. */

import { byId } from "../elements/dom.js";

/**
 * Opens a dialog whose form does something that may fail: it stays open, and says so, until it has worked.
 * @param {string} name @param {() => Promise<void>} run
 * @param {() => void} [done] called when the dialog is closed, which gives the focus back to where it came from
 */
export function ask(name, run, done = () => {}) {
  const dialog = byId(`${name}-dialog`);
  const form = byId(`${name}-form`);
  const error = byId(`${name}-error`);
  const submit = form.querySelector("[type=submit]");
  error.textContent = "";
  form.onsubmit = async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      await run();
    } catch (failure) {
      error.textContent = failure instanceof Error ? failure.message : String(failure);
      submit.disabled = false;
      submit.focus(); // a button that is disabled loses the focus
      return;
    }
    submit.disabled = false;
    dialog.close();
    done();
  };
  dialog.showModal();
}

/** @param {string} title @param {(title: string) => Promise<void>} rename */
export function askTitle(title, rename) {
  const input = byId("rename-input");
  input.value = title;
  ask("rename", () => rename(input.value.trim()));
  input.select();
}

/** Asks for a new branch. @param {(branch: string) => Promise<void>} fork */
export function askBranch(fork) {
  const input = byId("fork-branch");
  input.value = "";
  ask("fork", () => fork(input.value.trim()));
}

/** @param {string} title @param {() => Promise<void>} archive @param {() => void} done */
export function askArchive(title, archive, done) {
  byId("archive-name").textContent = title;
  ask("archive", archive, done);
}

/** @param {string} path @param {() => Promise<void>} discard */
export function askDiscard(path, discard) {
  byId("discard-name").textContent = path;
  ask("discard", discard);
}
