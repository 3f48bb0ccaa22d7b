/** Comments on lines on several devices: at once here, soon there, never lost and never back. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { SharedComments } from "../../sessions/static/sessions/work/shared-comments.js";
import { FakeStorage, settle } from "./support.js";

/** The comments of one person in one chat, on their server. */
class Server {
  /** @type {Map<string, any>} */
  comments = new Map();
  version = 0;
  isAway = false;
  /** @type {Error|null} */
  refusal = null;

  api = {
    comments: async () => this.#answer({ comments: [...this.comments.values()] }),
    keepComment: async (_id, comment) => {
      this.#reached();
      if (this.refusal) throw this.refusal;
      this.comments.set(comment.id, comment);
      return this.#changed();
    },
    dropComment: async (_id, id) => {
      this.#reached();
      return this.comments.delete(id)
        ? this.#changed()
        : this.#answer({ personal: { commentsVersion: this.version } });
    },
  };

  #reached() {
    if (this.isAway) throw new Error("away");
  }

  #changed() {
    this.version += 1;
    return { personal: { commentsVersion: this.version } };
  }

  #answer(body) {
    this.#reached();
    return { version: this.version, ...body };
  }
}

/** @param {Server} server @param {FakeStorage} [storage] */
function device(server, storage = new FakeStorage()) {
  const notes = { refused: [], now: 0 };
  const comments = new SharedComments({
    ...{ api: server.api, storage: /** @type {any} */ (storage), userId: 1 },
    now: () => notes.now,
    changed: () => {},
    refused: (sentence) => notes.refused.push(sentence),
  });
  comments.show("chat");
  const texts = () => comments.all.map(({ text }) => text);
  const hear = async () => {
    comments.told("chat", server.version);
    await settle();
  };
  return { comments, notes, storage, texts, hear };
}

const comment = (text) => ({ path: "a.txt", line: 1, isOld: false, quote: "x", text });

test("a comment shows at once, and on another device when it hears of it", async () => {
  const server = new Server();
  const [desk, phone] = [device(server), device(server)];
  desk.comments.add(comment("why?"));
  assert.deepEqual(desk.texts(), ["why?"]);
  await settle();
  await phone.hear();
  assert.deepEqual(phone.texts(), ["why?"]);
  phone.comments.remove(phone.comments.all.map(({ id }) => id));
  await settle();
  await desk.hear();
  assert.deepEqual(desk.texts(), []);
});

test("comments of two devices at once are both kept on both", async () => {
  const server = new Server();
  const [desk, phone] = [device(server), device(server)];
  desk.comments.add(comment("from the desk"));
  phone.comments.add(comment("from the phone"));
  await settle();
  await Promise.all([desk.hear(), phone.hear()]);
  const both = ["from the desk", "from the phone"];
  assert.deepEqual([desk.texts().sort(), phone.texts().sort()], [both, both]);
});

test("without the server a comment waits over a reload, and is written when it is back", async () => {
  const server = new Server();
  server.isAway = true;
  const before = device(server);
  before.comments.add(comment("kept"));
  before.comments.add(comment("dropped"));
  before.comments.remove([before.comments.all[1].id]);
  await settle();
  const after = device(server, before.storage);
  assert.deepEqual(after.texts(), ["kept"]);
  server.isAway = false;
  after.comments.tick();
  await settle();
  assert.deepEqual(
    [...server.comments.values()].map(({ text }) => text),
    ["kept"],
  );
  assert.deepEqual(after.texts(), ["kept"]);
});

test("a try that failed is repeated after a while, not at once", async () => {
  const server = new Server();
  server.isAway = true;
  const desk = device(server);
  desk.comments.add(comment("patient"));
  await settle();
  server.isAway = false;
  desk.comments.tick();
  await settle();
  assert.equal(server.comments.size, 0);
  desk.notes.now = 5_000;
  desk.comments.tick();
  await settle();
  assert.equal(server.comments.size, 1);
});

test("a comment that the server refuses says why and lets the next one go", async () => {
  const server = new Server();
  const desk = device(server);
  const body = { code: "too_many_comments" };
  server.refusal = Object.assign(new Error("Too many."), { status: 409, body });
  desk.comments.add(comment("one too many"));
  await settle();
  assert.deepEqual([desk.texts(), desk.notes.refused], [[], ["Too many."]]);
  server.refusal = null;
  desk.comments.add(comment("fits"));
  await settle();
  assert.equal(server.comments.size, 1);
});

test("an answer that is not the server's loses no comment", async () => {
  const server = new Server();
  const desk = device(server);
  server.refusal = Object.assign(new Error("A proxy's page."), { status: 404, body: null });
  desk.comments.add(comment("stays"));
  await settle();
  assert.deepEqual([desk.texts(), desk.notes.refused], [["stays"], []]);
});

test("comments that a version before kept in the browser alone are written", async () => {
  const server = new Server();
  const storage = new FakeStorage();
  storage.setItem("backstay.comments.1.chat", JSON.stringify([comment("old")]));
  const desk = device(server, storage);
  assert.deepEqual(desk.texts(), ["old"]);
  desk.comments.tick();
  await settle();
  assert.equal(server.comments.size, 1);
});

test("another chat has comments of its own", async () => {
  const server = new Server();
  const desk = device(server);
  desk.comments.add(comment("here"));
  await settle();
  desk.comments.show("other");
  assert.deepEqual(desk.texts(), []);
  desk.comments.show("chat");
  assert.deepEqual(desk.texts(), ["here"]);
});
