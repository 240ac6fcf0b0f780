/** The rules for the head of a request, on fields as they arrive, and on the wire. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HttpError } from "../../../src/errors.ts";
import { readHead, readTrailers } from "../../../src/server/http2/request-head.ts";
import { startHttp2Engine } from "../../support/http2-engine.ts";
import { FrameClient, field, GET, request } from "../../support/http2-frames.ts";

const LIMITS = { requestLine: 100, fields: 5, fieldSize: 50 };
const HEAD = [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a"];

function status(fields: readonly string[], hasContent = false): number {
  try {
    readHead(fields, LIMITS, hasContent);
    return 200;
  } catch (error) {
    assert.ok(error instanceof HttpError, String(error));
    return error.status;
  }
}

const without = (name: string): string[] => HEAD.filter((_text, index) => HEAD[index - (index % 2)] !== name);

test("a head becomes fields in their order, with Host first and one cookie", () => {
  const head = readHead([...HEAD, "cookie", "a=1", "x-a", "1", "cookie", "b=2", "x-a", "2"], LIMITS, false);
  assert.deepEqual(head.rawHeaders, ["host", "a", "cookie", "a=1; b=2", "x-a", "1", "x-a", "2"]);
  assert.deepEqual([head.method, head.target, head.host, head.field("x-a")], ["GET", "/", "a", "1, 2"]);
  assert.deepEqual(readTrailers(["x-sum", "1"], LIMITS), ["x-sum", "1"]);
});

describe("refused heads", () => {
  const CASES: readonly [what: string, fields: readonly string[], status: number][] = [
    ["no method", without(":method"), 400],
    ["no path", without(":path"), 400],
    ["no scheme", without(":scheme"), 400],
    ["no authority", without(":authority"), 400],
    ["two paths", [...HEAD, ":path", "/"], 400],
    ["an unknown pseudo-header field", [...HEAD, ":x", "1"], 400],
    ["a pseudo-header field of responses", [":status", "200", ...HEAD], 400],
    ["a pseudo-header field behind others", ["x-a", "1", ...HEAD], 400],
    ["a scheme of another protocol", [...without(":scheme"), ":scheme", "ftp"], 400],
    ["a path that is none", [...without(":path"), ":path", "x"], 400],
    ["an absolute-form", [...without(":path"), ":path", "http://a/"], 400],
    ["a path with a space", [...without(":path"), ":path", "/a b"], 400],
    ["a path with a fragment", [...without(":path"), ":path", "/a#b"], 400],
    ["a method that is no token", [...without(":method"), ":method", "G T"], 400],
    ["userinfo", [...without(":authority"), ":authority", "u@a"], 400],
    ["another Host", [...HEAD, "host", "b"], 400],
    ["two Hosts", [...HEAD, "host", "a", "host", "a"], 400],
    ["upper case", [...HEAD, "X-A", "1"], 400],
    ["a name that is no token", [...HEAD, "x a", "1"], 400],
    ["a line end in a value", [...HEAD, "x-a", "1\r\nx-b: 2"], 400],
    ["NUL in a value", [...HEAD, "x-a", "\0"], 400],
    ["white space around a value", [...HEAD, "x-a", " 1"], 400],
    ["Connection", [...HEAD, "connection", "close"], 400],
    ["Transfer-Encoding", [...HEAD, "transfer-encoding", "chunked"], 400],
    ["Upgrade", [...HEAD, "upgrade", "h2c"], 400],
    ["TE other than trailers", [...HEAD, "te", "gzip"], 400],
    ["two lengths", [...HEAD, "content-length", "0", "content-length", "0"], 400],
    ["a length that is no number", [...HEAD, "content-length", "+1"], 400],
    ["a length without content", [...HEAD, "content-length", "1"], 400],
    ["an unknown expectation", [...HEAD, "expect", "tea"], 417],
    ["CONNECT with a path", [":method", "CONNECT", ":path", "/", ":authority", "a:1"], 400],
    ["CONNECT without a port", [":method", "CONNECT", ":authority", "a"], 400],
    [":protocol without CONNECT", [...HEAD, ":protocol", "websocket"], 400],
    ["another protocol than WebSocket", [...without(":method"), ":method", "CONNECT", ":protocol", "x"], 501],
    ["a long target", [...without(":path"), ":path", `/${"a".repeat(100)}`], 414],
    ["many fields", [...HEAD, ...["1", "2", "3", "4", "5", "6"].flatMap((name) => [name, ""])], 431],
    ["a long field", [...HEAD, "x-a", "1".repeat(60)], 431],
    ["long cookies together", [...HEAD, "cookie", "a".repeat(30), "cookie", "b".repeat(30)], 431],
  ];
  for (const [what, fields, expected] of CASES) test(what, () => assert.equal(status(fields), expected));
});

test("TRACE with content, of whatever length, is refused", () => {
  const trace = [...without(":method"), ":method", "TRACE"];
  assert.deepEqual([status(trace), status(trace, true)], [200, 400]);
});

test("trailers with pseudo-header fields, framing or upper case are refused", () => {
  for (const fields of [
    [":path", "/"],
    ["content-length", "1"],
    ["X-A", "1"],
  ])
    assert.throws(() => readTrailers(fields, LIMITS), HttpError);
});

test("on the wire: what node:http2 lets through is refused by an answer, the rest by a reset", async (context) => {
  const engine = await startHttp2Engine(context, (_request, respond) => respond(200, {}, "ok"));
  const client = new FrameClient(await engine.connect());
  context.after(() => client.socket.destroy());
  // Upper case, Connection, a pseudo-header field behind others: errors of the stream.
  const malformed = [
    field("X-A", "1"),
    field("connection", "close"),
    Buffer.concat([field("a", "b"), field(":path", "/")]),
  ];
  for (const [index, added] of malformed.entries())
    client.send(request(2 * index + 1, Buffer.concat([GET, added])));
  for (const index of malformed.keys()) assert.equal((await client.frame(3, 2 * index + 1)).value, 1);
  // Another Host is an answer of 400, and the session goes on.
  client.send(request(21, Buffer.concat([GET, field("host", "b")])));
  await client.frame(1, 21);
  client.send(request(23));
  await client.frame(1, 23);
  assert.deepEqual([engine.errors, engine.excesses, client.goaway], [[], [], undefined]);
});
