/** The prompts of a tab that is closed: the next tab of the browser sends them, once. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { LeftCopy } from "../../transport/static/transport/tabs/left-copy.js";
import { takeOver } from "../../transport/static/transport/tabs/take-over.js";
import { answers, deferred, FakeClock, FakeStorage, settle } from "./support.js";
import {
  build,
  networkError,
  queue,
  receipt,
  SID,
  sent,
  stateOf,
  texts,
} from "./outbox-support.js";

const NAME = "backstay.left.1";

/** Web Locks by name; a page that is gone holds none any more. */
class NamedLocks {
  #held = new Map();
  #waiting = [];

  of(page) {
    return { request: (...asked) => this.#request(page, ...asked) };
  }

  gone(page) {
    for (const [name, holder] of this.#held) if (holder === page) this.#free(name);
  }

  #request(page, name, ...rest) {
    const run = rest.at(-1);
    if (!this.#held.has(name)) return this.#grant(page, name, run);
    if (rest[0].ifAvailable) return Promise.resolve(run(null));
    return new Promise((resolve) =>
      this.#waiting.push({ name, run: () => resolve(this.#grant(page, name, run)) }),
    );
  }

  async #grant(page, name, run) {
    this.#held.set(name, page);
    await null;
    const result = await run({ name });
    if (this.#held.get(name) === page) this.#free(name);
    return result;
  }

  #free(name) {
    this.#held.delete(name);
    const next = this.#waiting.findIndex((entry) => entry.name === name);
    if (next >= 0) this.#waiting.splice(next, 1)[0].run();
  }
}

/** A browser with pages that come and go. */
class Browser {
  storage = new FakeStorage();
  locks = new NamedLocks();
  clock = new FakeClock();
  #pages = 0;

  page({ fetch, tab = new FakeStorage() }) {
    const name = `page${(this.#pages += 1)}`;
    const locks = /** @type {any} */ (this.locks.of(name));
    const storage = /** @type {any} */ (this.storage);
    const left = new LeftCopy({ storage, locks, name: NAME });
    let isGone = false;
    const clock = {
      ...this.clock,
      setTimeout: (run, ms) => this.clock.setTimeout(() => isGone || run(), ms),
    };
    const close = () => {
      isGone = true;
      this.locks.gone(name);
    };
    let next = 0;
    const newId = () => `${name}-${(next += 1)}`;
    const { outbox } = build({
      fetch,
      storage: tab,
      clock: /** @type {any} */ (clock),
      left,
      newId,
    });
    outbox.start();
    const take = () => takeOver({ left, storage, locks, clock, outbox });
    return { outbox, fetch, tab, left, take, close };
  }

  get copies() {
    return this.storage.names().filter((name) => name.startsWith(NAME));
  }
}

const offline = () => answers(networkError);
const online = () => answers(receipt);

async function closedWith(browser, ...list) {
  const page = browser.page({ fetch: offline() });
  queue(page.outbox, ...list);
  await settle();
  page.close();
  return page;
}

describe("a tab that is closed", () => {
  test("leaves its prompts to the next one, which sends each under its own id", async () => {
    const browser = new Browser();
    await closedWith(browser, "one", "two");
    const next = browser.page({ fetch: online() });
    const taken = next.take();
    await browser.clock.advance(2_000);
    assert.deepEqual(texts(next.fetch), ["one", "two"]);
    assert.deepEqual(
      next.fetch.mock.calls.map((call) => sent(call).clientMsgId),
      ["page1-1", "page1-2"],
    );
    assert.deepEqual(
      (await taken).map(({ text }) => text),
      ["one", "two"],
    );
    assert.deepEqual(browser.copies, []);
  });

  test("of two tabs that open at once one sends", async () => {
    const browser = new Browser();
    await closedWith(browser, "one", "two");
    const nexts = [browser.page({ fetch: online() }), browser.page({ fetch: online() })];
    nexts.forEach(({ take }) => take());
    await browser.clock.advance(4_000);
    assert.deepEqual(nexts.flatMap(({ fetch }) => texts(fetch)).sort(), ["one", "two"]);
  });

  test("that lives keeps its prompts", async () => {
    const browser = new Browser();
    const first = browser.page({ fetch: offline() });
    queue(first.outbox, "one");
    await settle();
    const other = browser.page({ fetch: online() });
    other.take();
    await browser.clock.advance(4_000);
    assert.deepEqual(texts(other.fetch), []);
    assert.equal(stateOf(first.outbox, "one"), "queued");
    assert.equal(browser.copies.length, 1);
  });

  test("goes before the prompts of the next tab, and names its files", async () => {
    const browser = new Browser();
    const first = browser.page({ fetch: offline() });
    const file = { blob: "a".repeat(64), name: "a.png", mime: "image/png", size: 3 };
    first.outbox.send({ sessionId: SID, text: "one", attachments: [file] });
    await settle();
    first.close();
    const next = browser.page({ fetch: offline() });
    queue(next.outbox, "later");
    next.take();
    await browser.clock.advance(2_000);
    assert.deepEqual(
      next.outbox.prompts.map(({ text }) => text),
      ["one", "later"],
    );
    assert.deepEqual(next.outbox.prompts[0].attachments, [file]);
  });

  test("leaves nothing, and holds no lock, once its prompts are accepted", async () => {
    const browser = new Browser();
    const page = browser.page({ fetch: answers(networkError, receipt) });
    queue(page.outbox, "one");
    await settle();
    assert.equal(browser.copies.length, 1);
    await browser.clock.advance(500);
    assert.deepEqual(browser.copies, []);
    assert.equal(page.left.isHeld, false);
  });

  test("leaves a refused prompt with its reason", async () => {
    const browser = new Browser();
    const page = await closedWith(browser, "one");
    const [name] = browser.copies;
    const copy = JSON.parse(browser.storage.getItem(name));
    copy.prompts[0] = { ...copy.prompts[0], state: "failed", error: "no" };
    browser.storage.setItem(name, JSON.stringify(copy));
    const next = browser.page({ fetch: online() });
    next.take();
    await browser.clock.advance(2_000);
    assert.equal(stateOf(next.outbox, "one"), "failed");
    assert.deepEqual(texts(next.fetch), []);
    assert.equal(page.outbox.pending.length, 1);
  });
});

describe("a reload", () => {
  test("keeps the prompts in their tab, although another tab opens at that moment", async () => {
    const browser = new Browser();
    const before = await closedWith(browser, "one");
    const other = browser.page({ fetch: online() });
    other.take();
    await browser.clock.advance(1_000);
    const again = browser.page({ fetch: online(), tab: before.tab });
    await browser.clock.advance(4_000);
    assert.deepEqual(texts(again.fetch), ["one"]);
    assert.deepEqual(texts(other.fetch), []);
  });

  test("that comes too late finds its prompts taken, and sends none twice", async () => {
    const browser = new Browser();
    const before = await closedWith(browser, "one");
    const other = browser.page({ fetch: offline() });
    other.take();
    await browser.clock.advance(2_000);
    const again = browser.page({ fetch: online(), tab: before.tab });
    await settle();
    assert.deepEqual(texts(again.fetch), []);
    assert.deepEqual(again.outbox.prompts, []);
    assert.equal(stateOf(other.outbox, "one"), "queued");
  });

  test("a prompt that was written after the copy stays with its tab", async () => {
    const browser = new Browser();
    const before = await closedWith(browser, "one");
    const copy = JSON.parse(before.tab.getItem("backstay.outbox.1"));
    copy.entries.push({ ...copy.entries[0], clientMsgId: "new", text: "two", order: 2 });
    before.tab.setItem("backstay.outbox.1", JSON.stringify(copy));
    browser.storage.items.clear(); // another tab has taken the copy
    const again = browser.page({ fetch: online(), tab: before.tab });
    await settle();
    assert.deepEqual(texts(again.fetch), ["two"]);
  });

  for (const delayMs of [0, 1_999, 2_000, 2_001]) {
    test(`in mid-takeover loses nothing (${delayMs} ms)`, async () => {
      const browser = new Browser();
      await closedWith(browser, "one", "two");
      const next = browser.page({ fetch: offline() });
      next.take();
      await browser.clock.advance(delayMs);
      next.close();
      const again = browser.page({ fetch: online(), tab: next.tab });
      again.take();
      await browser.clock.advance(10_000);
      assert.deepEqual(texts(again.fetch), ["one", "two"]);
      assert.deepEqual(browser.copies, []);
    });
  }

  test("between the new copy and the end of the old one leaves each prompt once", async () => {
    const browser = new Browser();
    await closedWith(browser, "one");
    const [name] = browser.copies;
    const old = browser.storage.getItem(name);
    const next = browser.page({ fetch: offline() });
    next.take();
    await browser.clock.advance(2_000);
    next.close();
    browser.storage.setItem(name, old); // the page was gone before it removed it
    const hung = deferred();
    const again = browser.page({ fetch: answers(() => hung.promise), tab: next.tab });
    again.take();
    await browser.clock.advance(10_000);
    assert.deepEqual(texts(again.fetch), ["one"]);
    assert.deepEqual(
      again.outbox.prompts.map(({ text }) => text),
      ["one"],
    );
  });
});
