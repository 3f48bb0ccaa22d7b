/** The draft of a chat on several devices: followed, joined, never lost. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { SharedDraft } from "../../sessions/static/sessions/composer/shared-draft.js";
import { FakeClock, FakeStorage, settle } from "./support.js";

/** One server's draft, and devices that show its chat. */
class Server {
  draft = { version: 0, text: "" };
  writes = 0;
  isAway = false;

  api = {
    personal: async () => ({ personal: { draft: this.draft.text } }),
    putDraft: async (_id, { text, version }) => {
      if (this.isAway) throw new Error("away");
      this.writes += 1;
      if (version !== this.draft.version) {
        const body = { version: this.draft.version, draft: this.draft.text };
        throw Object.assign(new Error("conflict"), { code: "version_conflict", body });
      }
      this.draft = { version: version + 1, text };
      return { personal: { draftVersion: version + 1 } };
    },
  };
}

/** @param {Server} server @param {FakeStorage|null} [browser] @param {string} [text] that its tab has kept */
function device(server, browser = null, text = "") {
  const field = {
    text,
    isWriting: false,
    replace: (text) => {
      field.text = text;
    },
  };
  const clock = new FakeClock();
  const notes = { joined: 0 };
  const draft = new SharedDraft({
    ...{ api: server.api, field, clock, storage: null },
    browser: /** @type {any} */ (browser),
    joined: () => (notes.joined += 1),
  });
  draft.show("chat");
  const write = async (text) => {
    field.text = text;
    field.isWriting = true;
    draft.written();
    await clock.advance(1_000);
    await settle();
  };
  const hear = () => draft.told("chat", server.draft.version, server.draft.text);
  return { field, draft, notes, write, hear, clock };
}

test("a draft follows to a device where nothing is being written", async () => {
  const server = new Server();
  const [desk, phone] = [device(server), device(server)];
  await desk.write("half a prompt");
  await phone.hear();
  assert.equal(phone.field.text, "half a prompt");
  await phone.write("half a prompt and more");
  desk.field.isWriting = true;
  await desk.hear();
  assert.equal(desk.field.text, "half a prompt", "not under the cursor");
  desk.field.isWriting = false;
  desk.draft.left();
  assert.equal(desk.field.text, "half a prompt and more");
  await phone.write("");
  await desk.hear();
  assert.equal(desk.field.text, "");
  assert.deepEqual([desk.notes.joined, phone.notes.joined], [0, 0]);
});

test("texts that were written at once are joined, on both devices", async () => {
  const server = new Server();
  const [desk, phone] = [device(server), device(server)];
  await desk.write("from the desk");
  await phone.write("from the phone");
  await phone.clock.advance(1_000);
  await settle();
  assert.equal(server.draft.text, "from the phone\n\nfrom the desk");
  assert.equal(phone.notes.joined, 1);
  desk.field.isWriting = false;
  await desk.hear();
  assert.equal(desk.field.text, "from the phone\n\nfrom the desk");
});

test("a long draft is not in the frame: it is read", async () => {
  const server = new Server();
  const [desk, phone] = [device(server), device(server)];
  await desk.write("long");
  await phone.draft.told("chat", 1, null);
  assert.equal(phone.field.text, "long");
  await phone.draft.told("another chat", 5, "strange");
  assert.equal(phone.field.text, "long");
});

test("a server that is away loses nothing: the next change writes it all", async () => {
  const server = new Server();
  const desk = device(server);
  server.isAway = true;
  await desk.write("one");
  assert.equal(server.draft.version, 0);
  server.isAway = false;
  await desk.write("one two");
  assert.deepEqual(server.draft, { version: 1, text: "one two" });
  await desk.write("one two");
  assert.equal(server.writes, 1, "the same text is not written twice");
});

test("the text of a chat is written to it when another one is shown at once", async () => {
  const server = new Server();
  const desk = device(server);
  desk.field.text = "half";
  desk.draft.written();
  desk.field.text = "of another chat";
  desk.draft.show("other");
  await settle();
  assert.deepEqual(server.draft, { version: 1, text: "half" });
});

test("a text that the server did not get is taken over by the next tab of the browser", async () => {
  const server = new Server();
  const browser = new FakeStorage();
  const desk = device(server, browser);
  await desk.write("one");
  assert.deepEqual(browser.names(), [], "the server has it");
  server.isAway = true;
  await desk.write("one two");
  assert.equal(browser.names().length, 1);
  server.isAway = false;

  const next = device(server, browser);
  assert.equal(next.field.text, "one two");
  await next.clock.advance(1_000);
  await settle();
  assert.deepEqual(server.draft, { version: 2, text: "one two" }, "in the place of its beginning");
  assert.equal(next.notes.joined, 0);
  assert.deepEqual(browser.names(), []);
});

test("a text is kept before the answer comes, and goes when it is empty", async () => {
  const server = new Server();
  const browser = new FakeStorage();
  const desk = device(server, browser);
  server.isAway = true;
  desk.field.text = "the last words";
  desk.draft.written();
  desk.draft.flush(); // the page is closed in this moment
  assert.match(String([...browser.items.values()]), /the last words/);
  await settle();
  desk.field.text = "";
  desk.draft.written();
  desk.draft.flush();
  assert.deepEqual(browser.names(), []);
});

test("a tab with a text of its own has both", async () => {
  const server = new Server();
  const browser = new FakeStorage();
  const desk = device(server, browser);
  server.isAway = true;
  await desk.write("of the closed tab");
  const other = device(server, browser, "of this tab");
  assert.equal(other.field.text, "of this tab\n\nof the closed tab");
  const again = device(server, browser, "it had of the closed tab");
  assert.equal(again.field.text, "it had of the closed tab");
});
