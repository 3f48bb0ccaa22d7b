/** A stream over scripted connections. */

import { mock } from "node:test";

import { createCommands } from "../../transport/static/transport/commands.js";
import { Stream } from "../../transport/static/transport/stream.js";
import { answers, FakeClock, FakeServerStream, json, settle } from "./support.js";

export const A = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";

export const ok = () => Promise.resolve(json(200, { ok: true }));

/** A stream over scripted connections: `steps` answer the GETs in turn, every further one is a good stream. */
export function build({ steps = [], commands = answers(ok), random = () => 1 } = {}) {
  const clock = new FakeClock();
  const servers = [];
  const good = (url, init) => {
    servers.push(new FakeServerStream(url, init));
    return Promise.resolve(servers.at(-1).response());
  };
  const get = mock.fn(good);
  steps.forEach((step, call) => get.mock.mockImplementationOnce(step ?? good, call));
  const fetch = (url, init) => (init.method === "POST" ? commands(url, init) : get(url, init));
  const command = createCommands({ fetch, csrf: () => "t", timeoutMs: 15_000, clock });
  const frames = [];
  const states = [];
  const stream = new Stream({
    fetch,
    command,
    clock,
    random,
    onFrame: (frame) => frames.push(frame),
    onStatus: ({ state }) => states.push(state),
  });
  const told = () =>
    commands.mock.calls.map(({ arguments: [url, init] }) => [
      url.split("/").at(-1),
      JSON.parse(init.body),
      init.headers["X-Connection-ID"],
    ]);
  return {
    stream,
    clock,
    servers,
    get,
    commands,
    frames,
    states,
    told,
    seqs: () => frames.filter((f) => f.seq).map((f) => f.seq),
  };
}

export async function live(options, cursor = null) {
  const built = build(options);
  built.stream.watch(A, cursor);
  built.stream.open();
  await settle();
  await built.servers.at(-1).welcome("c1");
  return built;
}

export const refuse =
  (status, headers = {}) =>
  () =>
    Promise.resolve(json(status, { ok: false, code: "x", error: "no" }, headers));
export const down = () => Promise.reject(new TypeError("fetch failed"));
