/**
 * The bytes of attached files in the browser's IndexedDB, by their SHA-256: a reload and a lost line keep them.
 * Where the browser stores nothing, the page holds them.
 */

const STORE = "files";
/** Bytes that no prompt has needed for so long are of a tab that never came back. */
const LEFT_OVER_MS = 2 * 86_400_000;

export class FileStore {
  #name;
  /** @type {Promise<IDBDatabase>|null} */
  #opened = null;
  /** @type {Map<string, Blob>} those that the browser did not store */
  #held = new Map();

  /** @param {string} userId one person's files are no other's */
  constructor(userId) {
    this.#name = `backstay.files.${userId}`;
  }

  /** @param {string} sha256 @param {Blob} bytes @returns {Promise<boolean>} whether a reload keeps them */
  async put(sha256, bytes) {
    try {
      await this.#run("readwrite", (files) => files.put({ bytes, at: Date.now() }, sha256));
      return true;
    } catch {
      this.#held.set(sha256, bytes);
      return false;
    }
  }

  /** @param {string} sha256 @returns {Promise<Blob|null>} */
  async get(sha256) {
    const held = this.#held.get(sha256);
    if (held) return held;
    try {
      return (await this.#run("readonly", (files) => files.get(sha256)))?.bytes ?? null;
    } catch {
      return null; // nothing was ever stored
    }
  }

  /** @param {Iterable<string>} names */
  async remove(names) {
    for (const name of names) {
      this.#held.delete(name);
      await this.#run("readwrite", (files) => files.delete(name)).catch(() => null);
    }
  }

  /** Removes the remains of tabs that never came back. */
  async clean() {
    const names = await this.#run("readonly", (files) => files.getAllKeys()).catch(() => []);
    for (const name of names) {
      const file = await this.#run("readonly", (files) => files.get(name)).catch(() => null);
      if (file && Date.now() - file.at > LEFT_OVER_MS) await this.remove([String(name)]);
    }
  }

  /** @param {IDBTransactionMode} mode @param {(files: IDBObjectStore) => IDBRequest} ask @returns {Promise<any>} */
  async #run(mode, ask) {
    this.#opened ??= this.#open();
    const transaction = (await this.#opened).transaction(STORE, mode);
    const request = ask(transaction.objectStore(STORE));
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error ?? request.error);
    });
  }

  /** @returns {Promise<IDBDatabase>} */
  #open() {
    return new Promise((resolve, reject) => {
      const request = indexedDB.open(this.#name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  }
}
