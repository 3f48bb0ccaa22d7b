// Answers of another server in Backstay's place: a proxy's log-in page, a redirect, JSON of another shape.

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";

import { dataOf, readFilesBy } from "../../sessions/static/sessions/answers/blob-files.js";
import { createApi } from "../../sessions/static/sessions/server/api.js";
import { lineText, standingText } from "../../sessions/static/sessions/words/connection-text.js";
import { outboxText } from "../../sessions/static/sessions/words/text.js";
import { createCommands, isForeign } from "../../transport/static/transport/commands.js";
import { Outbox } from "../../transport/static/transport/outbox.js";
import { Stream } from "../../transport/static/transport/stream.js";
import { answers, FakeClock, FakeServerStream, FakeStorage, json, settle } from "./support.js";

const SID = "11111111-1111-4111-8111-111111111111";
const html = (status) =>
  new Response("<html><title>Log in</title>", { status, headers: { "Content-Type": "text/html" } });

/** What a browser gives for a redirect that it was told not to follow. */
const redirect = () =>
  /** @type {any} */ ({
    type: "opaqueredirect",
    status: 0,
    ok: false,
    headers: new Headers(),
    body: null,
    text: async () => "",
  });

/** @type {Record<string, () => Response>} */
const FOREIGN = {
  "a log-in page": () => html(200),
  "a redirect": redirect,
  "a page that is refused": () => html(403),
  "a page that wants a log-in": () => html(401),
  "a page that is not found": () => html(404),
  "JSON of another shape": () => json(200, { login: "https://elsewhere.example" }),
  "JSON that wants a log-in": () => json(401, { message: "Unauthorized" }),
  "a list": () => json(200, []),
  "an empty answer": () => new Response("", { status: 200 }),
};

/** @type {Record<string, () => Response>} */
const PASSING = {
  "a bad gateway": () => html(502),
  "a gateway that waits": () => html(504),
  "a gateway that limits": () => html(429),
};

const command = (fetch, clock, onAnswer) =>
  createCommands({ fetch, csrf: () => "t", timeoutMs: 15_000, clock, onAnswer });

describe("a POST", () => {
  for (const [name, make] of Object.entries(FOREIGN)) {
    test(`that is answered by ${name} is foreign`, async () => {
      const heard = mock.fn();
      await command(async () => make(), new FakeClock(), heard)("send", {});
      assert.equal(isForeign(heard.mock.calls[0].arguments[0]), true);
    });
  }

  for (const [name, make] of Object.entries(PASSING)) {
    test(`that is answered by ${name} is not`, async () => {
      const answer = await command(async () => make(), new FakeClock())("send", {});
      assert.equal(isForeign(answer), false);
    });
  }

  test("follows no redirect, which would take a prompt elsewhere", async () => {
    const fetch = mock.fn(async () => json(200, { ok: true }));
    await command(fetch, new FakeClock())("send", {});
    assert.equal(/** @type {any} */ (fetch.mock.calls[0].arguments)[1].redirect, "manual");
  });
});

describe("a file", () => {
  for (const [name, make] of Object.entries(FOREIGN)) {
    test(`that is answered by ${name} is not saved`, async () => {
      /** @type {any} */
      const fetch = async () => make();
      const api = createApi({ fetch, csrf: () => "t" });
      await assert.rejects(api.exported(SID, "md"));
      await assert.rejects(api.fileBytes(SID, "a.txt"));
      readFilesBy(fetch);
      await assert.rejects(dataOf("/api/blobs/0"));
    });
  }

  test("of the server is read, whatever it holds", async () => {
    const headers = { "X-User-ID": "7", "Content-Disposition": 'attachment; filename="c.md"' };
    const fetch = async () => new Response("<html>", { headers });
    const api = createApi({ fetch: /** @type {any} */ (fetch), csrf: () => "t" });
    const { name, content } = await api.exported(SID, "md");
    assert.deepEqual([name, await content.text()], ["c.md", "<html>"]);
  });
});

describe("a prompt", () => {
  for (const [name, make] of Object.entries(FOREIGN)) {
    test(`that met ${name} is sent again as it was`, async () => {
      const clock = new FakeClock();
      const receipt = (_url, { body }) => {
        const { clientMsgId, sessionId } = JSON.parse(body);
        return Promise.resolve(
          json(202, { ok: true, accepted: true, clientMsgId, sessionId, seq: 2 }),
        );
      };
      const fetch = answers(() => Promise.resolve(make()), receipt);
      const outbox = new Outbox({
        command: command(fetch, clock),
        clock,
        random: () => 1,
        storage: /** @type {any} */ (new FakeStorage()),
        userId: 1,
        maxPending: 100,
        connectionId: () => null,
      });
      outbox.send({ sessionId: SID, text: "hello" });
      await settle();
      assert.equal(outbox.waiting, "retry");
      // Only a success says nothing about the prompt; everything else was stopped on its way.
      assert.equal(outboxText(outbox.prompts[0]), ""); // the banner tells
      assert.equal(outbox.prompts[0].attempted, make().ok);
      await clock.advance(30_000);
      assert.equal(outbox.prompts[0].state, "accepted");
      assert.equal(fetch.mock.callCount(), 2);
      const [once, again] = fetch.mock.calls.map((call) => call.arguments[1].body);
      assert.equal(again, once);
    });
  }
});

describe("a stream", () => {
  function build(...steps) {
    const clock = new FakeClock();
    const servers = [];
    const good = (url, init) => {
      servers.push(new FakeServerStream(url, init));
      return Promise.resolve(servers.at(-1).response());
    };
    const get = answers(...steps.map((make) => () => Promise.resolve(make())), good);
    const stream = new Stream({
      fetch: get,
      command: command(async () => json(200, { ok: true }), clock),
      clock,
      random: () => 1,
      onFrame: () => {},
    });
    stream.open();
    return { stream, clock, servers };
  }
  const label = (stream) => lineText(stream.status, true, 0);

  for (const [name, make] of Object.entries(FOREIGN)) {
    test(`that is answered by ${name} says so, tries again and comes back`, async () => {
      const { stream, clock, servers } = build(make);
      await settle();
      assert.equal(stream.status.state, "waiting");
      assert.deepEqual(label(stream), { kind: "foreign", label: "Blocked" });
      await clock.advance(500);
      assert.deepEqual(label(stream), { kind: "foreign", label: "Blocked" }); // while it tries
      await servers[0].welcome("c1");
      assert.equal(label(stream).kind, "live");
    });
  }

  for (const [name, make] of Object.entries(PASSING)) {
    test(`that is answered by ${name} reconnects as ever`, async () => {
      const { stream } = build(make);
      await settle();
      assert.equal(stream.status.state, "waiting");
      assert.equal(stream.status.isForeign, false);
    });
  }

  for (const first of [
    "event: hello\ndata: {}\n\n",
    'event: welcome\ndata: {"id": 1}\n\n',
    "data: ?\n\n",
  ]) {
    test(`that begins with ${JSON.stringify(first)} is of another server`, async () => {
      const { stream, servers } = build();
      await settle();
      await servers[0].raw(first);
      assert.equal(stream.status.isForeign, true);
    });
  }

  test("of the server that ends, after a foreign answer, is reconnecting", async () => {
    const { stream, clock, servers } = build(FOREIGN["a log-in page"]);
    await clock.advance(500);
    await servers[0].welcome("c1");
    await servers[0].end();
    assert.equal(stream.status.isForeign, false);
  });
});

describe("the reading API", () => {
  for (const [name, make] of Object.entries(FOREIGN)) {
    test(`says that ${name} is foreign`, async () => {
      const heard = mock.fn();
      const api = createApi({ fetch: async () => make(), csrf: () => "t", onAnswer: heard });
      await assert.rejects(api.sessions());
      assert.equal(heard.mock.calls[0].arguments[0].isForeign, true);
    });
  }

  test("takes an answer of the server as it is", async () => {
    const heard = mock.fn();
    const fetch = answers(
      () => Promise.resolve(json(200, { sessions: [], nextBefore: null })),
      () => Promise.resolve(json(404, { ok: false, code: "unknown_session", error: "gone" })),
      () => Promise.resolve(html(502)),
    );
    const api = createApi({ fetch, csrf: () => "t", onAnswer: heard });
    assert.deepEqual(await api.sessions(), { sessions: [], nextBefore: null });
    await assert.rejects(api.sessions(), { message: "gone", code: "unknown_session" });
    await assert.rejects(api.sessions(), { status: 502 });
    assert.deepEqual(
      heard.mock.calls.map((call) => call.arguments[0].isForeign),
      [false, false, false],
    );
  });

  test("shows the list that it holds while the server has no other", async () => {
    /** @type {any[]} */
    const asked = [];
    const replies = [
      new Response(JSON.stringify({ sessions: [1] }), { headers: { ETag: '"a"' } }),
      new Response(null, { status: 304 }),
      new Response(JSON.stringify({ sessions: [2] }), { headers: { ETag: '"b"' } }),
      new Response(null, { status: 304 }),
    ];
    const fetch = async (_path, { headers }) => {
      asked.push(headers["If-None-Match"]);
      return replies[asked.length - 1];
    };
    const api = createApi({ fetch, csrf: () => "t" });
    assert.deepEqual(await api.sessions(), { sessions: [1] });
    assert.deepEqual(await api.sessions(), { sessions: [1] });
    assert.deepEqual(await api.sessions(), { sessions: [2] });
    await assert.rejects(api.sessions({ q: "another" }), { status: 304 });
    assert.deepEqual(asked, [undefined, '"a"', '"a"', undefined]);
  });
});

describe("the words", () => {
  test("are another sentence for each reason", () => {
    const reasons = /** @type {const} */ (["out", "token", "origin", "foreign"]);
    const said = reasons.map((reason) => standingText(reason, "", 0, true));
    assert.equal(new Set(said).size, 4);
    assert.match(said[0], /^You are signed out\.$/);
    for (const sentence of said.slice(1)) assert.doesNotMatch(sentence, /signed out/);
  });

  test("take the server's own sentence for an origin", () => {
    assert.equal(standingText("origin", "Not from http://x.", 0, true), "Not from http://x.");
  });

  test("count the prompts that wait", () => {
    assert.match(standingText("foreign", "", 2, true), /2 prompts wait in this tab/);
    assert.match(standingText("in", "", 1, false), /keeps no storage/);
    assert.equal(standingText("in", "", 1, true), "");
  });
});
