/** An app uses its own server while it is served: it emits its events and replaces its listeners. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import { NodeServer } from "../../../src/server/node/node-server.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../../../src/server/server-options.ts";
import { RawClient } from "../../support/engine.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/** Serves `server`; returns a function that connects to it. */
async function serve(context: TestContext, server: Server): Promise<() => Promise<RawClient>> {
  const node = new NodeServer({
    adopted: { server, wrapper: undefined },
    limits: DEFAULT_LIMITS,
    timeouts: DEFAULT_TIMEOUTS,
    onError: (error) => assert.fail(error),
    onAcceptError: (error) => assert.fail(error),
  });
  context.after(() => node.destroy());
  let port = 0;
  await node.open(async (tcp) => {
    tcp.listen(0, "127.0.0.1");
    await once(tcp, "listening");
    port = (tcp.address() as AddressInfo).port;
  });
  return () => client(context, port);
}

async function client(context: TestContext, port: number): Promise<RawClient> {
  const socket = connect(port, "127.0.0.1");
  context.after(() => socket.destroy());
  await once(socket, "connect");
  return new RawClient(socket);
}

test("events that another server passes on reach the app's listeners", async (context) => {
  const server = createServer((_request, response) => void response.end("passed on"));
  server.on("upgrade", (_request, socket) => void socket.end("HTTP/1.1 101 Passed On\r\n\r\n"));
  await serve(context, server);
  const other = createServer((request, response) => void server.emit("request", request, response));
  other.on("upgrade", (request, socket, head) => void server.emit("upgrade", request, socket, head));
  other.listen(0, "127.0.0.1");
  context.after(() => other.close());
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const plain = await client(context, port);
  plain.send(GET);
  assert.match(await plain.rest(), /passed on/);
  const upgraded = await client(context, port);
  upgraded.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
  assert.match(await upgraded.rest(), /^HTTP\/1\.1 101 Passed On/);
});

test("a connection that the app emits itself is served", async (context) => {
  const server = createServer((_request, response) => void response.end("served"));
  await serve(context, server);
  const other = createServer().listen(0, "127.0.0.1");
  context.after(() => other.close());
  other.removeAllListeners("connection").on("connection", (socket) => void server.emit("connection", socket));
  await once(other, "listening");
  const raw = await client(context, (other.address() as AddressInfo).port);
  raw.send(GET);
  assert.match(await raw.rest(), /^HTTP\/1\.1 200 [\s\S]*served$/);
});

test("the app may answer a client error later, and need not close the connection itself", async (context) => {
  const server = createServer();
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (error.code === "HPE_INVALID_METHOD") setTimeout(() => socket.end("HTTP/1.1 400 Later\r\n\r\n"), 20);
    else socket.write("HTTP/1.1 400 Left Open\r\n\r\n");
  });
  const open = await serve(context, server);
  const [later, left] = [await open(), await open()];
  later.send("NONSENSE\r\n\r\n");
  left.send("GET / HTTP/1.1\r\nHost a\r\n\r\n");
  assert.equal(await later.rest(), "HTTP/1.1 400 Later\r\n\r\n");
  assert.equal(await left.rest(), "HTTP/1.1 400 Left Open\r\n\r\n");
});

test("listeners may be replaced at any time, by one or by several", async (context) => {
  const server = createServer((_request, response) => void response.end("first"));
  const connection = server.listeners("connection");
  const open = await serve(context, server);
  const answer = async (): Promise<string> => {
    const raw = await open();
    raw.send(GET);
    return /\w*$/.exec(await raw.rest())?.[0] ?? "";
  };
  assert.equal(await answer(), "first");
  server.removeAllListeners();
  for (const listener of connection) server.on("connection", listener as () => void);
  server.on("request", (_request, response) => void response.end("second"));
  assert.equal(await answer(), "second");
  let seen = 0;
  server.prependListener("request", () => {
    seen += 1;
  });
  assert.equal(await answer(), "second");
  assert.equal(seen, 1);
});
