/** The forms that make or use a passkey: the browser signs, and the form carries the answer. */

const BINARY = new Set(["challenge", "id"]);
const UNAVAILABLE =
  "This browser has no passkeys here. They need HTTPS, or Backstay under the name localhost.";

/** The base64url texts of the options become bytes. @param {any} value @param {string} [key] @returns {any} */
export function withBytes(value, key = "") {
  if (typeof value === "string") return BINARY.has(key) ? bytesOf(value) : value;
  if (Array.isArray(value)) return value.map((part) => withBytes(part));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [
      name,
      name === "rp" ? part : withBytes(part, name),
    ]),
  );
}

/** The answer of the browser as JSON. @param {any} credential @returns {any} */
export function answerOf({ id, rawId, type, response }) {
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature"];
  const given = parts.filter((name) => response[name]);
  return {
    id,
    type,
    rawId: textOf(rawId),
    response: Object.fromEntries(given.map((name) => [name, textOf(response[name])])),
    clientExtensionResults: {},
  };
}

/** @param {string} text base64url */
function bytesOf(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

/** @param {ArrayBuffer} bytes */
function textOf(bytes) {
  const plain = String.fromCharCode(...new Uint8Array(bytes));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** @param {HTMLFormElement} form */
function bind(form) {
  const error = /** @type {HTMLElement} */ (form.querySelector(".field-error"));
  const button = /** @type {HTMLButtonElement} */ (form.querySelector("[type=submit]"));
  const field = /** @type {HTMLInputElement} */ (form.elements.namedItem("credential"));
  form.addEventListener("submit", async (event) => {
    if (field.value) return; // signed: the form goes
    event.preventDefault();
    error.textContent = "";
    button.disabled = true;
    try {
      field.value = JSON.stringify(answerOf(await sign(form.dataset.passkey)));
      button.disabled = false;
      form.requestSubmit(button);
    } catch (failure) {
      error.textContent = sentenceOf(failure);
    } finally {
      button.disabled = false;
    }
  });
  // Back from the next page: the challenge was used up, and the options with it.
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

/** @param {string|undefined} kind create or get */
async function sign(kind) {
  const options = JSON.parse(document.getElementById("passkey-options")?.textContent ?? "{}");
  if (!window.PublicKeyCredential) throw new Error(UNAVAILABLE);
  const publicKey = withBytes(options.publicKey);
  return kind === "create"
    ? navigator.credentials.create({ publicKey })
    : navigator.credentials.get({ publicKey });
}

/** @param {any} failure */
function sentenceOf(failure) {
  if (failure?.name === "NotAllowedError") return "No passkey was given. Try once more.";
  if (failure?.name === "InvalidStateError") return "This device has a passkey for you already.";
  return failure?.message ?? String(failure);
}

if (globalThis.document)
  document
    .querySelectorAll("form[data-passkey]")
    .forEach((form) => bind(/** @type {HTMLFormElement} */ (form)));
