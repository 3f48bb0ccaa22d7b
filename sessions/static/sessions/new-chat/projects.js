/** The projects of this person: read once, and again when the list of chats names one that is not known. */

/**
 * @typedef {{id: string, folder: string, name: string, trust: boolean|null, defaults: {agent: string|null},
 *   usedAt: string, git: {branch: string}|null, whyNot: string|null}} Project
 */

export class Projects {
  #api;
  /** @type {Map<string, Project>} the last used first */
  #known = new Map();
  /** @type {Promise<void>|null} */
  #loading = null;
  /** @type {(() => void)[]} */
  #listeners = [];

  /** @param {any} api the reading API @param {string} refused why no folder can be chosen here, "" where one can */
  constructor(api, refused) {
    this.#api = api;
    this.refused = refused;
  }

  /** @param {() => void} listener called when other projects or other branches are known */
  onChange(listener) {
    this.#listeners.push(listener);
  }

  /** @returns {Project[]} the last used first */
  get all() {
    return [...this.#known.values()];
  }

  /** @param {string|null|undefined} id @returns {Project|null} */
  find(id) {
    return this.#known.get(id ?? "") ?? null;
  }

  /** @param {string} folder @returns {Project|null} */
  of(folder) {
    return this.all.find((project) => project.folder === folder) ?? null;
  }

  /** @param {{projectId?: string|null}[]} rows of the list of chats */
  learn(rows) {
    if (rows.some(({ projectId }) => projectId)) this.load();
  }

  /** One request at a time. A failure leaves those that are known. */
  load() {
    this.#loading ??= this.#load().finally(() => (this.#loading = null));
    return this.#loading;
  }

  /** The project of a folder, made where there is none. @param {string} folder */
  async make(folder) {
    this.#keep((await this.#api.makeProject(folder)).project);
  }

  /** @param {Project} project @param {boolean} trust */
  async decide({ id }, trust) {
    this.#keep((await this.#api.changeProject(id, { trust })).project);
  }

  async #load() {
    let projects;
    try {
      ({ projects } = await this.#api.projects());
    } catch {
      return;
    }
    const known = new Map(projects.map((project) => [project.id, project]));
    const isSame = JSON.stringify([...known]) === JSON.stringify([...this.#known]);
    this.#known = known;
    if (!isSame) this.#tell();
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }

  #keep(project) {
    this.#known = new Map([...this.#known, [project.id, project]]);
    this.#tell();
  }
}
