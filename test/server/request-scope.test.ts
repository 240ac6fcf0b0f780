/** A store that a request enters in an `AsyncLocalStorage` is visible to all it starts, and to no other request. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import { createServer, type IncomingMessage, Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { toNodeListener } from "../../src/interop/node.ts";
import { inject } from "../../src/interop/testing.ts";
import { ask } from "../support/ask.ts";
import { startCommand, until } from "../support/command.ts";
import { RawClient, startEngine } from "../support/engine.ts";
import { onBothServers } from "../support/node-engine.ts";
import { checkRequestScopes, SCOPE_APPS } from "../support/request-scopes.ts";

for (const app of SCOPE_APPS) {
  test(`requests on one connection to ${app} have separate stores`, async (t) => {
    const command = startCommand(t, [`scopes/${app}`, "-w", "1", "-b", "127.0.0.1:0"]);
    await command.ready();
    const port = await command.port();
    await checkRequestScopes(port);
    if (app !== "gateway.mjs:handler") return;
    await ask({ port }, "/noted");
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    const client = new RawClient(socket);
    client.send("GET /?gone HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.until((text) => text.includes("stream gone"));
    socket.destroy();
    const noted: string[] = [];
    await until("the disconnect is noticed", async () => {
      const { text } = await ask({ port }, "/noted");
      noted.push(...text.split("\n").filter((line) => line !== ""));
      return noted.length >= 3;
    });
    assert.deepEqual(noted.sort(), ["finished gone", "signal gone", "stopped gone"]);
  });
}

const GET = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

onBothServers((startNodeEngine) => {
  test("a store that an instrumentation enters around node's server is visible to the listener", async (t) => {
    // Like OpenTelemetry, which emits the server's events within a context.
    const context = new AsyncLocalStorage<string>();
    const { emit } = Server.prototype;
    Server.prototype.emit = function (this: Server, ...given: unknown[]) {
      const name = given[0] === "request" ? (given[1] as IncomingMessage).url : undefined;
      return context.run(name ?? "none", () => Reflect.apply(emit, this, given) as boolean);
    } as typeof emit;
    t.after(() => {
      Server.prototype.emit = emit;
    });
    const { client } = await startNodeEngine(t, (_request, response) => {
      const found = `[${context.getStore()}]`;
      context.enterWith("entered");
      response.end(found);
    });
    const raw = await client();
    raw.send(GET("/a") + GET("/b"));
    const text = await raw.until((received) => received.split("]").length > 2);
    assert.deepEqual(text.match(/\[[^\]]*\]/g), ["[/a]", "[/b]"]);
  });
});

test("a store of the caller of an app is visible to the app", async () => {
  const context = new AsyncLocalStorage<string>();
  const answer = await context.run("caller", () =>
    inject((_request, respond) => respond(200, null, context.getStore() ?? "none")),
  );
  assert.equal(answer.text(), "caller");
});

test("each request of a node server has the store in which it arrived, even if it waits for an earlier one", async (t) => {
  const context = new AsyncLocalStorage<string>();
  const listener = toNodeListener(async (_request, respond) => {
    const found = `[${context.getStore()}]`;
    context.enterWith("entered");
    await new Promise((resolve) => setImmediate(resolve));
    respond(200, null, found);
  });
  const server = createServer((request, response) => {
    context.run(request.url ?? "", () => listener(request, response));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  const client = new RawClient(socket);
  client.send(GET("/a") + GET("/b") + GET("/c"));
  const text = await client.until((received) => received.split("]").length > 3);
  assert.deepEqual(text.match(/\[[^\]]*\]/g), ["[/a]", "[/b]", "[/c]"]);
  socket.destroy();
});

test("events of an upgraded connection run in the scope in which the app took it over", async (t) => {
  const context = new AsyncLocalStorage<string>();
  const engine = await startEngine(t, (_request, respond) => {
    const connection = context.run("taken", () => respond.upgrade({ upgrade: "echo" }));
    connection.on("data", () => connection.write(`[${context.getStore()}]`));
    connection.on("end", () => connection.end(`[${context.getStore()} end]`));
  });
  const client = await engine.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
  await client.until((text) => text.includes("101"));
  client.send("x");
  await client.until((text) => text.includes("[taken]"));
  client.socket.end();
  assert.match(await client.rest(), /\[taken end\]/);
});
