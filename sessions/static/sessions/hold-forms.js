// Not a module: it holds forms that a person sends before the page's modules have run.
// A form without the key of its log-in, or without a passkey's answer, would be refused.
(() => {
  /** @type {{form: HTMLFormElement, button: HTMLElement|null}|null} */
  let held = null;

  /** @param {SubmitEvent} event */
  const hold = (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    held = { form: /** @type {HTMLFormElement} */ (event.target), button: event.submitter };
  };

  document.addEventListener("submit", hold, true);
  // Modules have run, or failed to load, before this.
  document.addEventListener("DOMContentLoaded", () => {
    document.removeEventListener("submit", hold, true);
    held?.form.requestSubmit(held.button);
  });
})();
