/** Dialogs that ask before something is done. */

import { byId } from "./dom.js";

/** Opens a dialog whose form does something that may fail: it stays open, and says so, until it has worked. */
export function ask(name, run) {
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
      dialog.close();
    } catch (failure) {
      error.textContent = failure instanceof Error ? failure.message : String(failure);
    } finally {
      submit.disabled = false;
    }
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

/** @param {string} title @param {() => Promise<void>} archive */
export function askArchive(title, archive) {
  byId("archive-name").textContent = title;
  ask("archive", archive);
}

/** @param {string} path @param {() => Promise<void>} discard */
export function askDiscard(path, discard) {
  byId("discard-name").textContent = path;
  ask("discard", discard);
}
