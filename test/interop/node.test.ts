/** The bridges to and from node:http: what the conformance suite does not cover, and frameworks as gateway handlers. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { connect, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import fastify from "fastify";
import { compose } from "../../src/gateway/compose.ts";
import { derive } from "../../src/gateway/derive.ts";
import { lint } from "../../src/gateway/lint.ts";
import type { Handler } from "../../src/gateway/types.ts";
import { fromNodeListener, type NodeListener, toNodeListener } from "../../src/interop/node.ts";
import { inject } from "../../src/interop/testing.ts";

// Neither brings types of its own.
const require = createRequire(import.meta.url);
const express = require("express");
const Koa = require("koa");

async function listening(t: TestContext, server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

describe("toNodeListener", () => {
  test("throws for invalid limits", () => {
    const app: Handler = (_request, respond) => respond(200, null, null);
    for (const bodyLimit of [Number.NaN, -1, "1MB" as never])
      assert.throws(() => toNodeListener(app, { bodyLimit }), /^RangeError: bodyLimit: /);
    for (const requestTimeout of [Number.NaN, 0, "30s" as never])
      assert.throws(() => toNodeListener(app, { requestTimeout }), /^RangeError: requestTimeout: /);
  });

  test("works as a plain request listener", async (t) => {
    const listener = toNodeListener(async (request, respond) =>
      respond(200, null, await request.body.text()),
    );
    const url = await listening(t, createServer(listener));
    const answer = await fetch(url, { method: "POST", body: "hello" });
    assert.equal(await answer.text(), "hello");
  });

  test("a plain listener cannot upgrade: `request.upgrade` is false", async (t) => {
    const listener = toNodeListener((request, respond) => respond(200, null, String(request.upgrade)));
    const url = new URL(await listening(t, createServer(listener)));
    const socket = connect({ port: Number(url.port), host: url.hostname });
    socket.end("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: echo\r\n\r\n");
    assert.match(await textOf(socket), /^HTTP\/1\.1 200 .*false$/s);
  });

  test("responds 503 if the app fails to start, and reports the error", async (t) => {
    const errors: Error[] = [];
    const app = { startup: () => Promise.reject(new Error("no database")), handle: () => {} };
    const listener = toNodeListener(app, { onError: (error) => errors.push(error) });
    const url = await listening(t, createServer(listener));
    assert.equal((await fetch(url)).status, 503);
    await assert.rejects(listener.ready, /no database/);
    assert.match(String(errors[0]?.cause), /no database/);
  });

  test("close drains, waits for the last response and shuts the app down", async (t) => {
    const calls: unknown[] = [];
    let answer: (() => void) | undefined;
    const listener = toNodeListener({
      handle: (request, respond) => {
        answer = () => respond(200, null, String(request.draining));
      },
      shutdown: () => void calls.push("shutdown"),
    });
    const url = await listening(t, createServer(listener));
    const running = fetch(url);
    while (answer === undefined) await new Promise((resolve) => setImmediate(resolve));
    const closed = listener.close();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(calls, []);
    answer();
    assert.equal(await (await running).text(), "true");
    await closed;
    assert.deepEqual(calls, ["shutdown"]);
  });

  test("logs errors to the console with the request's id if there is no onError", async (t) => {
    const logged: unknown[][] = [];
    t.mock.method(console, "error", (...args: unknown[]) => void logged.push(args));
    const listener: NodeListener = toNodeListener(() => {
      throw new Error("failed");
    });
    const url = await listening(t, createServer(listener));
    assert.equal((await fetch(`${url}/path`)).status, 500);
    assert.match(String(logged[0]?.[0]), /^GET \/path \(request \S+\) failed:$/);
  });

  test("refuses an upgrade with content, which node cannot tell from the new protocol", async (t) => {
    const listener = toNodeListener((_request, respond) => respond(200, null, "never"));
    const url = new URL(await listening(t, listener.attach(createServer())));
    const socket = connect({ port: Number(url.port), host: url.hostname });
    socket.write(
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\nContent-Length: 5\r\n\r\nhello",
    );
    assert.match(await textOf(socket), /^HTTP\/1\.1 501 /);
  });
});

async function textOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const LISTENERS: {
  readonly [name: string]: (request: IncomingMessage, response: ServerResponse) => unknown;
} = {
  whole: (_request, response) => response.setHeader("x-a", "b").end("hello"),
  pieces: (_request, response) => {
    response.write("hel");
    setImmediate(() => response.end("lo"));
  },
  cookies: (_request, response) => response.writeHead(200, { "set-cookie": ["a=1", "b=2"] }).end("hello"),
  trailers: (_request, response) => {
    response.writeHead(200, { trailer: "x-sum" });
    response.write("hello");
    response.addTrailers({ "x-sum": "5" });
    response.end();
  },
  hints: (_request, response) => {
    response.writeEarlyHints({ link: "</a.css>; rel=preload" });
    response.end("hello");
  },
  chunked: (_request, response) => response.writeHead(200, { "transfer-encoding": "chunked" }).end("hello"),
  nothing: (_request, response) => response.writeHead(204).end(),
};

interface ExpressRequest {
  params: { id: string };
  body: unknown;
  ip: string;
}

interface ExpressResponse {
  cookie(name: string, value: string): ExpressResponse;
  status(status: number): ExpressResponse;
  json(value: unknown): void;
}

describe("fromNodeListener", () => {
  for (const [name, listener] of Object.entries(LISTENERS)) {
    test(`relays a response: ${name}`, async () => {
      const answer = await inject(lint(fromNodeListener(listener)));
      assert.deepEqual(answer.errors, []);
      assert.equal(answer.text(), name === "nothing" ? "" : "hello");
      if (name === "whole")
        assert.deepEqual([answer.headers["content-length"], answer.headers["x-a"]], ["5", "b"]);
      if (name === "cookies") assert.deepEqual(answer.values("set-cookie"), ["a=1", "b=2"]);
      if (name === "trailers") assert.equal(answer.trailers["x-sum"], "5");
      if (name === "hints") assert.equal(answer.informational[0]?.status, 103);
      assert.equal(answer.values("date").length, 1);
    });
  }

  test("the listener gets node's own request with all its properties", async () => {
    const seen: unknown[] = [];
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      const { method, url, rawHeaders, httpVersion, socket } = request;
      seen.push(method, url, rawHeaders, httpVersion, socket.remoteAddress, socket.remotePort);
      request.resume().on("end", () => {
        seen.push(request.rawTrailers);
        response.end();
      });
    };
    await inject(fromNodeListener(listener), {
      method: "POST",
      path: "/a%20b?c",
      body: ["x"],
      trailers: { "x-sum": "1" },
    });
    const headers = ["Host", "localhost", "Transfer-Encoding", "chunked"];
    assert.deepEqual(seen, ["POST", "/a%20b?c", headers, "1.1", "127.0.0.1", 40000, ["x-sum", "1"]]);
  });

  test("a mounted listener gets its own part of the path", async () => {
    const under: (next: Handler) => Handler = (next) => (request, respond) =>
      next(derive(request, { rootPath: "/app", path: request.path.slice(4) }), respond);
    const listener = fromNodeListener((request, response) => response.end(request.url));
    const answer = await inject(compose(under)(listener), { path: "/app/x?y=1" });
    assert.equal(answer.text(), "/x?y=1");
  });

  test("sends 100 Continue when the listener reads the body, and not before", async () => {
    const headers = { expect: "100-continue" };
    const unread = await inject(
      fromNodeListener((_request, response) => response.writeHead(403).end()),
      { method: "POST", headers, body: "content" },
    );
    assert.deepEqual([unread.status, unread.informational.length], [403, 0]);
    const read = await inject(
      fromNodeListener((request, response) => request.pipe(response)),
      { method: "POST", headers, body: "content" },
    );
    assert.deepEqual([read.text(), read.informational[0]?.status], ["content", 100]);
  });

  test("streams in both directions with backpressure", async () => {
    let made = 0;
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (; made < 500; made += 1) yield Buffer.alloc(20_000, made % 256);
    }
    const answer = await inject(
      fromNodeListener((request, response) => request.pipe(response)),
      { method: "POST", body: pieces() },
    );
    assert.equal(answer.body.length, 10_000_000);
    for (const index of [0, 1, 255, 499]) assert.equal(answer.body[index * 20_000], index % 256);
  });

  test("responds 500 if the listener throws, rejects or destroys its socket", async () => {
    const failures = [
      () => {
        throw new Error("failed");
      },
      async () => {
        throw new Error("failed");
      },
      (request: IncomingMessage) => request.socket.destroy(),
    ];
    for (const listener of failures) {
      const answer = await inject(fromNodeListener(listener));
      assert.equal(answer.status, 500);
      assert.match(answer.errors[0]?.message ?? "", /failed|closed its connection before/);
    }
  });

  test("breaks off a response that the listener destroys", async () => {
    const listener = (_request: IncomingMessage, response: ServerResponse): void => {
      response.write("half");
      // Wait until the head has been sent: before that the response would be a 500.
      setImmediate(() => setImmediate(() => setImmediate(() => response.destroy())));
    };
    await assert.rejects(inject(fromNodeListener(listener)), /closed its connection before/);
  });

  test("responds 413 to a body above the limit even if the listener ignores the error", async () => {
    const answer = await inject(
      fromNodeListener((request, response) => {
        request.on("error", () => {});
        request.on("end", () => response.end("whole")).resume();
      }),
      { method: "POST", body: ["01234", "56789"], bodyLimit: 8 },
    );
    assert.equal(answer.status, 413);
  });

  test("the listener's response closes when the client disconnects", async () => {
    const client = new AbortController();
    const closed = new Promise<void>((resolve) => {
      const listener = (_request: IncomingMessage, response: ServerResponse): void => {
        response.on("close", resolve);
        client.abort();
      };
      inject(fromNodeListener(listener), { signal: client.signal }).catch(() => {});
    });
    await closed;
  });

  test("responds 501 to a method that node does not know", async () => {
    assert.equal(
      (
        await inject(
          fromNodeListener(() => {}),
          { method: "BREW" },
        )
      ).status,
      501,
    );
  });

  test("HEAD gets the head of GET", async () => {
    const head = await inject(fromNodeListener(LISTENERS.pieces as never), { method: "HEAD" });
    assert.deepEqual([head.body.length, head.headers["content-length"]], [0, undefined]);
    const sized = await inject(
      fromNodeListener((_request, response) => response.writeHead(200, { "content-length": "5" }).end()),
      { method: "HEAD" },
    );
    assert.equal(sized.headers["content-length"], "5");
  });

  test("an upgrade request with content goes to the request listener without its Upgrade field", async () => {
    const handler = fromNodeListener(
      (request, response) => {
        let text = `${request.headers.upgrade} `;
        request.setEncoding("utf8").on("data", (piece: string) => {
          text += piece;
        });
        request.on("end", () => response.end(text));
      },
      { upgrade: (_request, socket) => socket.end("HTTP/1.1 101 Switching Protocols\r\n\r\n") },
    );
    const headers = { connection: "upgrade", upgrade: "echo" };
    const answer = await inject(handler, { method: "POST", headers, body: "content" });
    assert.deepEqual([answer.status, answer.text(), answer.errors], [200, "undefined content", []]);
  });

  test("passes an upgrade to the upgrade listener", async () => {
    const handler = fromNodeListener((_request, response) => response.writeHead(426).end(), {
      upgrade: (_request, socket, head) => {
        socket.write(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello ",
        );
        socket.write(head);
        socket.pipe(socket);
      },
    });
    const answer = await inject(handler, { headers: { connection: "upgrade", upgrade: "echo" } });
    assert.equal(answer.status, 101);
    answer.upgraded?.end("world");
    const chunks: Buffer[] = [];
    for await (const chunk of answer.upgraded as AsyncIterable<Buffer>) chunks.push(chunk);
    assert.equal(Buffer.concat(chunks).toString(), "hello world");
    assert.equal((await inject(handler)).status, 426);
  });

  test("runs Express with its body parser", async () => {
    const app = express();
    app.use(express.json());
    app.post("/items/:id", (request: ExpressRequest, response: ExpressResponse) => {
      response
        .cookie("a", "1")
        .status(201)
        .json({ id: request.params.id, got: request.body, ip: request.ip });
    });
    const answer = await inject(lint(fromNodeListener(app)), {
      method: "POST",
      path: "/items/7",
      headers: { "content-type": "application/json" },
      body: '{"n":1}',
    });
    assert.equal(answer.status, 201);
    assert.deepEqual(answer.json(), { id: "7", got: { n: 1 }, ip: "127.0.0.1" });
    assert.equal((await inject(fromNodeListener(app))).status, 404);
  });

  test("runs Koa and Fastify", async () => {
    const koa = new Koa();
    koa.use((context: { path: string; body: unknown }) => {
      context.body = { path: context.path };
    });
    assert.deepEqual((await inject(lint(fromNodeListener(koa.callback())), { path: "/koa" })).json(), {
      path: "/koa",
    });
    const server = fastify();
    server.post("/echo", async (request) => request.body);
    await server.ready();
    const answer = await inject(
      lint(fromNodeListener((request, response) => server.routing(request, response))),
      {
        method: "POST",
        path: "/echo",
        headers: { "content-type": "application/json" },
        body: '{"n":1}',
      },
    );
    assert.deepEqual(answer.json(), { n: 1 });
    await server.close();
  });

  test("runs a gateway app through both bridges", async () => {
    const there = toNodeListener(async (request, respond) => {
      const writer = respond(200, { "x-a": "b" });
      await writer.write(`${request.target} `);
      await writer.end(await request.body.text(), { "x-sum": "1" });
    });
    const answer = await inject(lint(fromNodeListener(there)), {
      method: "PUT",
      path: "/x?y",
      body: "content",
    });
    assert.deepEqual(
      [answer.text(), answer.trailers["x-sum"], answer.headers["x-a"]],
      ["/x?y content", "1", "b"],
    );
  });
});
