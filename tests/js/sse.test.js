/** The parser of frames. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { FrameParser } from "../../transport/static/transport/sse.js";

describe("the parser", () => {
  const parse = (...pieces) => {
    const frames = [];
    const parser = new FrameParser((frame) => frames.push(frame));
    pieces.forEach((piece) => parser.push(piece));
    return frames;
  };

  test("gives the same frames wherever the network cuts", () => {
    const text =
      'retry: 1000\nevent: welcome\ndata: {"a":1}\n\nid: x:1\r\ndata: one\r\ndata:two\r\n\r\n: ping\n\ndata: é\n\n';
    const whole = parse(text);
    assert.deepEqual(whole, [
      { event: "welcome", id: "", data: '{"a":1}' },
      { event: "message", id: "x:1", data: "one\ntwo" },
      { event: "message", id: "", data: "é" },
    ]);
    for (let at = 0; at < text.length; at += 1)
      assert.deepEqual(parse(text.slice(0, at), text.slice(at)), whole);
    assert.deepEqual(parse(...text), whole);
  });

  test("gives nothing for a frame that is not finished", () => {
    assert.deepEqual(parse("data: half\n"), []);
  });
});
