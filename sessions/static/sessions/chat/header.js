/** The title of the chat that is shown, its activity, its modes, and the title of the tab. */

import { byId, setText } from "../elements/dom.js";
import { visible } from "../words/visible.js";
import { activityOf } from "../words/text.js";

/** The sign of a run state in the title of the tab. */
const MARKS = { requires_action: "! ", running: "… " };

export class Header {
  #options;

  /**
   * @param {{modesLearnt: (agent: string, modes: any[]) => void, agentLabel: (name: string) => string,
   *   isAsked: () => boolean, downFor: () => string, setMode: (mode: string) => void}} options isAsked: whether any
   *   chat waits for a decision; downFor: since when the connection is down, as 0:12
   */
  constructor(options) {
    this.#options = options;
    byId("mode").addEventListener("change", () => options.setMode(byId("mode").value));
  }

  /**
   * @param {import("../log/store.js").View} view
   * @param {{isDraft: boolean, isStale: boolean}} state isDraft: a chat that has no session yet; isStale: the connection is down
   */
  draw({ snapshot, ready }, { isDraft, isStale }) {
    const { agentLabel, isAsked, modesLearnt, downFor } = this.#options;
    const title = visible((!isDraft && snapshot.title) || "New chat");
    const activity = activityOf(snapshot.state, snapshot.runState, isStale, downFor());
    setText(byId("title"), title);
    setText(byId("about"), isDraft || !ready ? "" : `${activity} · ${agentLabel(snapshot.agent)}`);
    for (const id of ["open-menu", "open-changes", "open-files"]) byId(id).hidden = isDraft;
    const isWorking = snapshot.runState === "running" && !isStale;
    const mark = isAsked() ? MARKS.requires_action : isWorking ? MARKS.running : "";
    document.title = `${mark}${title} · Backstay`;
    const modes = snapshot.modes ?? [];
    if (modes.length) modesLearnt(snapshot.agent, modes);
    byId("mode-field").hidden = isDraft || modes.length < 2;
    drawModes(modes, snapshot.mode);
  }
}

function drawModes(modes, mode) {
  const select = byId("mode");
  const wanted = JSON.stringify(modes);
  if (select.dataset.modes !== wanted) {
    select.dataset.modes = wanted;
    select.replaceChildren(...modes.map(({ id, label }) => new Option(label || id, id)));
  }
  if (document.activeElement !== select) select.value = mode ?? "";
}
