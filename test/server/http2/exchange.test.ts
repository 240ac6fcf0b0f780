/** Requests of gateway apps over HTTP/2, as node's own client sends them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import type { Handler } from "../../../src/gateway/types.ts";
import { ask, startHttp2Engine } from "../../support/http2-engine.ts";

const echo: Handler = async (request, respond) => {
  const { method, target, httpVersion, host, headers, path, query } = request;
  const content = await request.body.text();
  respond(
    200,
    { "x-echo": "1" },
    JSON.stringify({
      method,
      target,
      httpVersion,
      host,
      headers,
      path,
      query,
      content,
      trailers: request.trailers,
    }),
  );
};

test("a request has what HTTP/1.1 would have shown: the host, joined cookies, the version 2.0", async (context) => {
  const engine = await startHttp2Engine(context, echo);
  const session = await engine.session();
  context.after(() => session.destroy());
  const answer = await ask(session, { ":path": "/a%20b?c=d", cookie: ["a=1", "b=2"], "x-two": "2" });
  assert.equal(answer.status, 200);
  const seen = JSON.parse(answer.text);
  assert.deepEqual(
    [seen.method, seen.target, seen.httpVersion, seen.host, seen.path, seen.query, seen.headers.cookie],
    ["GET", "/a%20b?c=d", "2.0", `127.0.0.1:${engine.port}`, "/a%20b", "c=d", "a=1; b=2"],
  );
  assert.equal(seen.headers.host, seen.host);
  const posted = await ask(session, { ":method": "POST" }, "hello");
  assert.equal(JSON.parse(posted.text).content, "hello");
});

test("large content passes both ways at the speed of its reader", async (context) => {
  const engine = await startHttp2Engine(context, async (request, respond) => {
    const writer = respond(200);
    let size = 0;
    for await (const piece of request.body) {
      size += piece.length;
      await writer.write(piece);
    }
    await writer.end(null, { "x-size": String(size) });
  });
  const session = await engine.session();
  context.after(() => session.destroy());
  const content = Buffer.alloc(3_000_000, "abcdefghij");
  const answer = await ask(session, { ":method": "PUT" }, content);
  assert.equal(answer.status, 200);
  assert.equal(answer.text.length, content.length);
  assert.equal(answer.trailers["x-size"], String(content.length));
  assert.equal(answer.code, 0);
});

test("a client that resets the stream aborts the signal, and its request is gone", async (context) => {
  let reason: unknown;
  const engine = await startHttp2Engine(context, async (request, respond) => {
    await once(request.signal, "abort");
    reason = request.signal.reason;
    respond(200, {}, "late");
  });
  const session = await engine.session();
  context.after(() => session.destroy());
  const stream = session.request({ ":path": "/" });
  stream.on("error", () => {});
  while (engine.server.inFlight().length === 0) await new Promise((resolve) => setImmediate(resolve));
  stream.close(8);
  while (reason === undefined) await new Promise((resolve) => setImmediate(resolve));
  assert.match(String(reason), /client closed the stream/);
  assert.equal(engine.server.inFlight().length, 0);
  assert.deepEqual(engine.errors, []);
});

test("HTTP/1.1 is served on the same port", async (context) => {
  const engine = await startHttp2Engine(context, echo);
  const response = await fetch(`http://127.0.0.1:${engine.port}/x`);
  assert.equal(((await response.json()) as { httpVersion: string }).httpVersion, "1.1");
});
