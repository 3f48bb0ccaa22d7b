import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { UpToDate } from "../../sessions/static/sessions/page/up-to-date.js";

/** A page with one chat: its state may be changed, its answer read. */
function page() {
  const state = { shown: "a", rejected: false, by: /** @type {string|null} */ (null) };
  const options = /** @type {any} */ ({
    shown: () => state.shown,
    store: { get: () => ({ rejected: state.rejected }) },
    caughtUpBy: () => state.by,
  });
  return { state, upToDate: new UpToDate(options) };
}

suite("up to date", () => {
  test("a chat is up to date when it was drawn after its catch-up", () => {
    const { state, upToDate } = page();
    upToDate.drawn("a");
    assert.equal(upToDate.isTrue, false);
    state.by = "c1";
    assert.equal(upToDate.isTrue, false, "caught up, and not drawn");
    upToDate.drawn("a");
    assert.equal(upToDate.isTrue, true);
  });

  test("the next connection has to catch up again", () => {
    const { state, upToDate } = page();
    state.by = "c1";
    upToDate.drawn("a");
    state.by = null;
    assert.equal(upToDate.isTrue, false);
    state.by = "c2";
    assert.equal(upToDate.isTrue, false, "caught up, and not drawn");
    upToDate.drawn("a");
    assert.equal(upToDate.isTrue, true);
  });

  test("another chat is not up to date by the one before it", () => {
    const { state, upToDate } = page();
    state.by = "c1";
    upToDate.drawn("a");
    state.shown = "b";
    assert.equal(upToDate.isTrue, false);
  });

  test("a new chat and one that is refused have nothing to come", () => {
    const { state, upToDate } = page();
    state.rejected = true;
    assert.equal(upToDate.isTrue, true);
    Object.assign(state, { shown: null, rejected: false });
    assert.equal(upToDate.isTrue, true);
  });
});
