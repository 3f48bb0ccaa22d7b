/** The frame around the transcript: the form of a new chat, a chat that is gone, what is loading. */

import { byId, setText } from "../elements/dom.js";
import { goneText } from "../words/text.js";

/** A skeleton that flashes for a moment is worse than none. */
export const SKELETON_AFTER_MS = 250;

const OLDER = {
  failed: "Older messages could not be loaded.",
  loading: "Loading older messages",
  none: "The beginning of this chat",
};

/**
 * @param {import("../log/store.js").View} view
 * @param {{isDraft: boolean, isNew: boolean, hasPending: boolean, hasFailed: boolean, shownMs: number}} state
 *   isNew: the choice of a new chat is open; hasFailed: the older messages did not load; shownMs: since when it is shown
 */
export function drawStage(view, { isDraft, isNew, hasPending, hasFailed, shownMs }) {
  const { snapshot, ready, rejected } = view;
  byId("new-chat-form").hidden = !isNew;
  const isGone = Boolean(rejected) && !ready;
  byId("gone").hidden = !isGone;
  if (isGone) {
    const { title, text } = goneText(rejected);
    setText(byId("gone-title"), title);
    setText(byId("gone-text"), text);
  }
  const isWaiting = !isDraft && !ready && !rejected && shownMs > SKELETON_AFTER_MS;
  byId("loading").hidden = !isWaiting || hasPending;
  byId("older").hidden = !ready || !snapshot.messages.length;
  const older = hasFailed ? "failed" : snapshot.hasMore ? "loading" : "none";
  setText(byId("older-text"), OLDER[older]);
  byId("older-retry").hidden = !hasFailed;
}
