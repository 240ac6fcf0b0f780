/** Between two messages on a kept connection the parser holds no memory of the last one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { RequestParser } from "../../src/http/request-parser.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const LIMITS = { requestLine: 4094, fields: 100, fieldSize: 8190 };
const PARSERS = 50;
const FIELDS = `X-Long: ${"a".repeat(8000)}\r\n`.repeat(50);

for (const [what, message] of [
  ["a head", `GET / HTTP/1.1\r\nHost: a\r\n${FIELDS}\r\n`],
  ["trailers", `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${FIELDS}\r\n`],
] as const) {
  test(`${what} of 400 KB is released with its message`, () => {
    let ended = 0;
    const events = { onHead: () => {}, onBody: () => {}, onEnd: () => void ended++ };
    const bytes = Buffer.from(message);
    const parsers = Array.from({ length: PARSERS }, () => new RequestParser(LIMITS, events));
    collect();
    const before = process.memoryUsage().heapUsed;
    for (const parser of parsers) {
      for (let at = 0; at < bytes.length; ) at += parser.execute(bytes, at, bytes.length - at);
    }
    assert.equal(ended, PARSERS);
    collect();
    const held = (process.memoryUsage().heapUsed - before) / PARSERS;
    assert.ok(held < bytes.length / 10, `${Math.round(held)} bytes are held for each connection`);
    assert.ok(parsers.every((parser) => parser.idle));
  });
}
