import assert from "node:assert/strict";
import { createReadStream, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { MAX_CONNECTIONS } from "../../src/control/connection-limiter.ts";
import { createJsonServer, type JsonServer, MAX_STREAMS, type Route } from "../../src/control/json-server.ts";
import { MAX_WAITING_BYTES, type Sink } from "../../src/control/reply.ts";
import { cleanUp, temporaryFolder, until } from "../support/command.ts";

interface Served {
  readonly server: JsonServer;
  readonly path: string;
}

async function serve(test: TestContext, routes: readonly Route[]): Promise<Served> {
  const path = join(temporaryFolder(test), "s.sock");
  const server = createJsonServer(routes);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  cleanUp(test, () => {
    server.closeAllConnections();
    server.close();
  });
  return { server, path };
}

interface Answer {
  readonly response: IncomingMessage;
  readonly text: () => string;
  readonly ended: Promise<void>;
}

function ask(socketPath: string, path: string, headers = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
      });
      const ended = new Promise<void>((end) => response.once("close", end));
      response.on("error", () => {});
      resolve({ response, text: () => text, ended });
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

async function whole(answer: Promise<Answer>): Promise<{ response: IncomingMessage; text: string }> {
  const { response, text, ended } = await answer;
  await ended;
  return { response, text: text() };
}

/** A route whose followers the test can write to. */
function followed(): { readonly sinks: Set<Sink>; readonly route: Route } {
  const sinks = new Set<Sink>();
  const route: Route = {
    method: "GET",
    path: "/events",
    handle: (_parameters, _body, { follows, query }) =>
      follows
        ? {
            status: 200,
            follow(sink) {
              sinks.add(sink);
              sink.send({ since: query.get("since") });
              return () => sinks.delete(sink);
            },
          }
        : { status: 200, body: [] },
  };
  return { sinks, route };
}

test("text has its own type and length, and further fields; HEAD has no content", async (t) => {
  const route: Route = {
    method: "GET",
    path: "/metrics",
    handle: () => ({
      status: 200,
      type: "text/plain; version=0.0.4; charset=utf-8",
      text: "a 1\nµ 2\n",
      headers: { vary: "accept" },
    }),
  };
  const { path } = await serve(t, [route]);
  const { response, text } = await whole(ask(path, "/metrics?x=1"));
  assert.equal(response.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
  assert.equal(response.headers.vary, "accept");
  assert.equal(response.headers["content-length"], "9");
  assert.equal(text, "a 1\nµ 2\n");
  const head = await whole(ask(path, "/metrics", {}, "HEAD"));
  assert.equal(head.response.headers["content-length"], "9");
  assert.equal(head.text, "");
});

test("a file is sent whole, at its reader's speed", async (t) => {
  const file = join(temporaryFolder(t), "large");
  writeFileSync(file, Buffer.alloc(5_000_000, "x"));
  const route: Route = {
    method: "GET",
    path: "/file",
    handle: () => ({ status: 200, type: "application/octet-stream", content: createReadStream(file) }),
  };
  const { path } = await serve(t, [route]);
  const { text } = await whole(ask(path, "/file"));
  assert.equal(text.length, 5_000_000);
  const head = await whole(ask(path, "/file", {}, "HEAD"));
  assert.equal(head.text, "");
});

test("a file that cannot be read to its end is cut, so that nobody takes a part for the whole", async (t) => {
  const broken = async function* (): AsyncGenerator<string> {
    yield "part";
    throw new Error("the disk is gone");
  };
  const route: Route = {
    method: "GET",
    path: "/file",
    handle: () => ({ status: 200, type: "text/plain", content: broken() }),
  };
  const { path } = await serve(t, [route]);
  const answer = await ask(path, "/file").catch(() => undefined);
  await answer?.ended;
  assert.notEqual(answer?.response.complete, true);
});

test("records are sent as they happen, to those who follow", async (t) => {
  const { sinks, route } = followed();
  const { path } = await serve(t, [route]);
  const once = await whole(ask(path, "/events"));
  assert.equal(once.text, "[]\n");
  assert.equal((await whole(ask(path, "/events?follow=0", { accept: "application/x-ndjson" }))).text, "[]\n");
  const one = await ask(path, "/events?follow=1&since=7");
  const other = await ask(path, "/events", { accept: "application/x-ndjson" });
  assert.equal(one.response.headers["content-type"], "application/x-ndjson");
  for (const sink of sinks) sink.send({ number: 8 });
  await until("both have the record", () =>
    [one, other].every(({ text }) => text().includes('{"number":8}\n')),
  );
  assert.equal(one.text(), '{"since":"7"}\n{"number":8}\n');
  other.response.destroy();
  await until("the follower that left is forgotten", () => sinks.size === 1);
  for (const sink of sinks) sink.end();
  await one.ended;
  assert.equal(one.response.complete, true);
  await until("the stream has stopped", () => sinks.size === 0);
});

test("a follower that does not read is dropped, and its buffer stays bounded", async (t) => {
  const { sinks, route } = followed();
  const { path } = await serve(t, [route]);
  const slow = connect(path);
  slow.on("error", () => {});
  slow.pause();
  slow.write("GET /events?follow=1 HTTP/1.1\r\nhost: x\r\n\r\n");
  await until("it follows", () => sinks.size === 1);
  const reader = await ask(path, "/events?follow=1");
  await until("the other follows", () => sinks.size === 2);
  const record = { line: "x".repeat(10_000) };
  let sent = 0;
  const atMost = (2 * MAX_WAITING_BYTES) / 10_000;
  await until("the slow one is dropped", async () => {
    for (const sink of sinks) sink.send(record);
    sent++;
    assert.ok(sent < atMost, "it was kept although it reads nothing");
    await new Promise((resolve) => setImmediate(resolve));
    return sinks.size === 1;
  });
  const [left] = sinks;
  left?.send({ last: true });
  await until("the other goes on", () => reader.text().endsWith('{"last":true}\n'));
  slow.destroy();
});

test("streams are limited, and leave room for commands", async (t) => {
  const { sinks, route } = followed();
  const { server, path } = await serve(t, [route]);
  const answers = await Promise.all(Array.from({ length: MAX_STREAMS }, () => ask(path, "/events?follow=1")));
  const refused = await whole(ask(path, "/events?follow=1"));
  assert.equal(refused.response.statusCode, 503);
  assert.match(refused.text, /16 streams are followed already: end one/);
  assert.equal((await whole(ask(path, "/events"))).response.statusCode, 200);
  server.endStreams();
  await Promise.all(answers.map(({ ended }) => ended));
  assert.ok(answers.every(({ response }) => response.complete));
  await until("all have stopped", () => sinks.size === 0);
});

test("a route learns that its client has gone", async (t) => {
  let gone: AbortSignal | undefined;
  const route: Route = {
    method: "GET",
    path: "/long",
    handle: (_parameters, _body, asked) => {
      gone = asked.gone;
      return new Promise(() => {});
    },
  };
  const short: Route = {
    ...route,
    path: "/short",
    handle: (_parameters, _body, asked) => {
      gone = asked.gone;
      return { status: 200, body: {} };
    },
  };
  const { path } = await serve(t, [route, short]);
  await whole(ask(path, "/short"));
  assert.equal(gone?.aborted, false);
  gone = undefined;
  const client = connect(path);
  client.write("GET /long HTTP/1.1\r\nhost: x\r\n\r\n");
  await until("it is asked", () => gone !== undefined);
  client.destroy();
  await until("it knows", () => gone?.aborted === true);
});

test("of requests that are pipelined only the first reaches a route", async (context) => {
  let calls = 0;
  const route: Route = {
    method: "GET",
    path: "/large",
    handle: async () => {
      calls += 1;
      return { status: 200, type: "text/plain", text: "x".repeat(10_000) };
    },
  };
  const { path } = await serve(context, [route]);
  const client = connect(path);
  cleanUp(context, () => client.destroy());
  let text = "";
  client.setEncoding("latin1").on("data", (piece) => {
    text += piece;
  });
  client.write("GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(500));
  await new Promise<void>((resolve) => client.once("close", () => resolve()).once("error", () => {}));
  assert.equal(calls, 1);
  assert.match(text, /^HTTP\/1.1 200 OK\r\n/);
  assert.ok(text.includes("x".repeat(10_000)), "the first one is answered");
});

test("clients that do not send the content of their request make room for others", async (context) => {
  const body = { ok: true };
  const { path } = await serve(context, [
    { method: "POST", path: "/login", handle: () => ({ status: 200, body }) },
    { method: "GET", path: "/health", handle: () => ({ status: 200, body }) },
  ]);
  const slow = Array.from({ length: MAX_CONNECTIONS }, () => {
    const client = connect(path);
    client.on("error", () => {});
    client.write("POST /login HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n");
    cleanUp(context, () => client.destroy());
    // The server has read the head.
    return new Promise<void>((resolve) => client.once("data", () => resolve()));
  });
  await Promise.all(slow);
  const { response } = await whole(ask(path, "/health"));
  assert.equal(response.statusCode, 200);
});
