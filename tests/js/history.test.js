import assert from "node:assert/strict";
import { test } from "node:test";

import { History } from "../../sessions/static/sessions/log/history.js";

const SKIP = { id: "5-6", from: 5, to: 6, loaded: 0, state: "skipped" };

test("a skip is loaded with its last event: nothing is asked for after that", async () => {
  /** @type {string[]} */
  const asked = [];
  let skip = { ...SKIP };
  const view = () => ({ skips: [skip] });
  const store = {
    get: view,
    updateSkip: (_session, _id, change) => void (skip = { ...skip, ...change }),
    learn: () => asked.push("learnt"),
    fill: () => {
      skip = { ...skip, state: "loaded" };
      asked.push("filled");
      return view();
    },
  };
  const api = {
    messages: async () => ({ messages: [], hasMore: false }),
    events: async () => ({ events: [{ seq: 6 }] }),
  };
  const history = new History({
    store: /** @type {any} */ (store),
    api,
    page: 50,
    changed: () => asked.push(skip.state),
  });
  await history.loadSkip("s", "5-6");
  assert.deepEqual(asked, ["loading", "learnt", "filled", "loaded", "loaded"]);
});
