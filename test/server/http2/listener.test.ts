/** Node listeners over HTTP/2, by node's compatibility API: what they see, and what their clients get. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { IncomingMessage, type RequestListener, ServerResponse } from "node:http";
import { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { Socket } from "node:net";
import { test } from "node:test";
import { CompatRequest } from "../../../src/server/http2/compat-request.ts";
import { CompatResponse } from "../../../src/server/http2/compat-response.ts";
import { until } from "../../support/command.ts";
import { ask } from "../../support/http2-engine.ts";
import { FrameClient, frame, POST, request, reset } from "../../support/http2-frames.ts";
import { startHttp2Listener } from "../../support/http2-listener.ts";

test("a request shows what HTTP/1.1 would have shown, and node's own fields", async (context) => {
  const listener: RequestListener = (request, response) => {
    const { method, url, httpVersion, headers, rawHeaders, socket } = request;
    assert.ok(
      request instanceof (Http2ServerRequest as never) && response instanceof (Http2ServerResponse as never),
    );
    assert.ok(socket instanceof Socket && socket === request.socket);
    assert.throws(() => socket.write("x"), { code: "ERR_HTTP2_NO_SOCKET_MANIPULATION" });
    const { remoteAddress, remotePort } = socket;
    response.setHeader("Content-Type", "application/json");
    response.end(
      JSON.stringify({ method, url, httpVersion, headers, rawHeaders, remoteAddress, remotePort }),
    );
  };
  const served = await startHttp2Listener(context, listener);
  const session = await served.session();
  const answer = await ask(session, { ":path": "/a?b", cookie: ["a=1", "b=2"], "x-two": "2" });
  const seen = JSON.parse(answer.text);
  const host = `127.0.0.1:${served.port}`;
  assert.deepEqual([seen.method, seen.url, seen.httpVersion], ["GET", "/a?b", "2.0"]);
  const { headers } = seen;
  assert.deepEqual(
    [headers.host, headers[":authority"], headers.cookie, headers["x-two"]],
    [host, host, "a=1; b=2", "2"],
  );
  assert.deepEqual(seen.rawHeaders.slice(-6), ["host", host, "cookie", "a=1; b=2", "x-two", "2"]);
  assert.deepEqual([seen.remoteAddress, seen.remotePort], ["127.0.0.1", session.socket.localPort]);
  assert.equal(answer.headers["content-length"], String(Buffer.byteLength(answer.text)));
  assert.deepEqual(served.errors, []);
});

test("fields, early hints, trailers and HEAD arrive; what only HTTP/1.1 has is left out", async (context) => {
  const finished: string[] = [];
  const listener: RequestListener = (request, response) => {
    for (const event of ["finish", "close"]) response.on(event, () => finished.push(event));
    response.writeEarlyHints({ link: "</a.css>; rel=preload" });
    response.setHeader("Transfer-Encoding", "chunked").setHeader("X-One", ["1", "2"]);
    assert.throws(() => response.setHeader("x", "a\nb"), { code: "ERR_INVALID_CHAR" });
    response.writeHead(201, "Made", ["Keep-Alive", "timeout=5", "ETag", "a", "ETag", "b", "X-Two", "3"]);
    response.write("some ");
    response.addTrailers({ "X-End": "yes" });
    response.end(request.method);
  };
  const served = await startHttp2Listener(context, listener);
  const session = await served.session();
  const answer = await ask(session);
  const { headers } = answer;
  assert.deepEqual([answer.status, answer.text, answer.code], [201, "some GET", 0]);
  assert.deepEqual([headers["x-one"], headers.etag, headers["x-two"]], ["1, 2", "a", "3"]);
  assert.deepEqual([headers["transfer-encoding"], headers["keep-alive"]], [undefined, undefined]);
  assert.equal(answer.informational[0]?.link, "</a.css>; rel=preload");
  assert.equal(answer.trailers["x-end"], "yes");
  const head = await ask(session, { ":method": "HEAD" });
  assert.deepEqual([head.status, head.text, head.code], [201, "", 0]);
  await until("both have finished", () => finished.length === 4);
  assert.deepEqual(finished, ["finish", "close", "finish", "close"]);
  assert.deepEqual(served.errors, []);
});

test("an empty piece behind others does not replace them by what is in the memory", async (context) => {
  const served = await startHttp2Listener(context, (asked: IncomingMessage, response: ServerResponse) => {
    const pieces =
      asked.url === "/bytes" ? ["one", "two", ""].map((text) => Buffer.from(text)) : ["one", "two", ""];
    for (const piece of pieces) response.write(piece);
    response.end("");
  });
  const session = await served.session();
  for (const path of ["/bytes", "/text"])
    for (let round = 0; round < 3; round += 1)
      assert.equal((await ask(session, { ":path": path })).text, "onetwo");
});

test("a listener has the methods that it has over HTTP/1.1", () => {
  const missing = (theirs: object, ours: object): string[] => {
    const names = new Set<string>();
    for (let at = theirs; at !== Object.prototype; at = Object.getPrototypeOf(at))
      for (const name of Object.getOwnPropertyNames(at)) names.add(name);
    return [...names].filter((name) => !name.startsWith("_") && !(name in ours));
  };
  assert.deepEqual(missing(IncomingMessage.prototype, CompatRequest.prototype), []);
  // They belong to the connection. `writeHeader` is an old name.
  const ofHttp1 = new Set(["assignSocket", "detachSocket", "writeHeader"]);
  const left = missing(ServerResponse.prototype, CompatResponse.prototype);
  assert.deepEqual(
    left.filter((name) => !ofHttp1.has(name)),
    [],
  );
});

test("content and its trailers are read with 100 Continue, at the speed of the reader", async (context) => {
  const content = Buffer.alloc(3_000_000, "abcdefghij");
  const listener: RequestListener = async (request, response) => {
    let size = 0;
    for await (const piece of request) {
      size += piece.length;
      if (!response.write(piece)) await once(response, "drain");
    }
    response.addTrailers({ "x-size": String(size), "x-got": String(request.trailers["x-sent"]) });
    response.end();
  };
  const served = await startHttp2Listener(context, listener);
  const session = await served.session();
  const stream = session.request(
    { ":method": "PUT", ":path": "/", expect: "100-continue" },
    { waitForTrailers: true },
  );
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-sent": "yes" }));
  await once(stream, "continue");
  stream.end(content);
  let size = 0;
  stream.on("data", (piece: Buffer) => {
    size += piece.length;
  });
  const [trailers] = await once(stream, "trailers");
  await once(stream, "close");
  assert.deepEqual([trailers["x-size"], trailers["x-got"], size], ["3000000", "yes", content.length]);
});

test("an error of the listener is a 500 or a reset, and the session stays", async (context) => {
  const listener: RequestListener = (request, response) => {
    if (request.url === "/late") return Promise.reject(new Error("late"));
    if (request.url !== "/begun") throw new Error("thrown");
    response.write("begun");
    setImmediate(() => response.destroy());
    return undefined;
  };
  const served = await startHttp2Listener(context, listener);
  const session = await served.session();
  const [thrown, late, begun] = await Promise.all(
    ["/", "/late", "/begun"].map((path) => ask(session, { ":path": path })),
  );
  assert.deepEqual([thrown?.status, thrown?.text], [500, "500 Internal Server Error\n"]);
  assert.equal(late?.status, 500);
  assert.deepEqual([begun?.status, begun?.code], [200, 2]);
  assert.deepEqual(served.errors.map(({ message }) => message).sort(), ["late", "thrown"]);
  assert.equal(served.server.inFlight().length, 0);
  assert.equal(session.closed, false);
});

test("content that breaks off fails for its reader, and does not seem complete", async (context) => {
  const ends: string[] = [];
  const listener: RequestListener = async (asked, response) => {
    asked.on("aborted", () => ends.push("aborted"));
    asked.on("end", () => ends.push("end"));
    response.on("finish", () => ends.push("finish"));
    response.on("close", () => ends.push(asked.complete ? "complete" : "close"));
    try {
      for await (const _ of asked);
      ends.push("read");
    } catch (error) {
      ends.push((error as Error).message);
    }
    response.setHeader("x", "1").end("nobody hears this");
  };
  const served = await startHttp2Listener(context, listener);
  // Node's client would end the content before it resets the stream.
  const client = new FrameClient(await served.connect());
  client.send(request(1, POST, 4), frame(0, 0, 1, Buffer.from("half")));
  await until("it has arrived", () => served.server.inFlight()[0]?.bytesReceived === 4);
  client.send(reset(1));
  await until("the listener has ended", () => ends.includes("close") && ends.length === 3);
  assert.deepEqual(ends.sort(), ["aborted", "aborted", "close"]);
  await until("it is gone", () => served.server.inFlight().length === 0);
  assert.deepEqual(served.errors, []);
});

test("CONNECT and malformed heads never reach the listener", async (context) => {
  let called = 0;
  const served = await startHttp2Listener(context, () => {
    called += 1;
  });
  const session = await served.session();
  const tunnel = session.request({ ":method": "CONNECT", ":authority": "a:1" });
  const [{ ":status": refused }] = await once(tunnel, "response");
  assert.equal(refused, 501);
  tunnel.resume().end();
  const fragment = await ask(session, { ":path": "/a#b" });
  assert.equal(fragment.status, 400);
  const hosts = await ask(session, { host: "other", ":authority": "one" });
  assert.equal(hosts.status, 400);
  assert.equal(called, 0);
});

test("an app that needs requests of HTTP/1.1 fails visibly, and its clients are told to use that", async (context) => {
  let called = 0;
  const listener = (request: object, response: { end(text: string): void }): void => {
    called += 1;
    // As Express does.
    Object.setPrototypeOf(request, IncomingMessage.prototype);
    Object.setPrototypeOf(response, ServerResponse.prototype);
    response.end("lost");
  };
  const served = await startHttp2Listener(context, listener);
  const session = await served.session();
  const first = await ask(session);
  assert.equal(first.status, 500);
  assert.match(String(served.errors[0]), /changes the prototype.*HTTP_1_1_REQUIRED.*--http-protocols h1/);
  const second = await ask(session);
  assert.deepEqual([second.status, second.code, called], [0, 13, 1]);
  assert.equal(served.server.inFlight().length, 0);
});
