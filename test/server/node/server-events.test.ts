/** Servers that are not NodeServer's own, and when the incomplete heads of their connections are counted. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { AcceptLimiter } from "../../../src/server/accept-limiter.ts";
import { ArrivingHeads } from "../../../src/server/node/arriving-heads.ts";
import { ListenerConnection } from "../../../src/server/node/listener-connection.ts";
import { ServerEvents } from "../../../src/server/node/server-events.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../../../src/server/server-options.ts";
import { until } from "../../support/command.ts";
import { RawClient } from "../../support/engine.ts";

test("serves and drains an http.Server that other code has created and made listen", async (context) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const events = new ServerEvents(
    {
      limits: DEFAULT_LIMITS,
      timeouts: DEFAULT_TIMEOUTS,
      onError: (error) => assert.fail(error),
      onAcceptError: (error) => assert.fail(error),
    },
    new AcceptLimiter(),
  );
  events.attach(server, {
    listener: (_request, response) => void response.end("hello"),
    upgrade: undefined,
  });
  context.after(() => {
    server.close();
    events.destroy();
  });
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  const raw = new RawClient(socket);
  raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await until("the response has arrived", () => raw.received.endsWith("hello"));
  assert.deepEqual([events.connections.size, events.exchanges.completed], [1, 1]);
  events.drain(0);
  await until("the idle connection is closed", () => events.connections.size === 0);
});

test("a socket that an app passes from one server to another is forgotten by both", async (context) => {
  const options = {
    limits: DEFAULT_LIMITS,
    timeouts: DEFAULT_TIMEOUTS,
    onError: (error: Error) => assert.fail(error),
    onAcceptError: (error: Error) => assert.fail(error),
  };
  const limiter = new AcceptLimiter();
  const servers = [1, 2, 3].map(() => new ServerEvents(options, limiter));
  const socket = new Socket();
  for (const events of servers) events.accept(socket, { isUnix: false });
  context.after(() => {
    for (const events of servers) events.destroy();
  });
  const sizes = (): number[] => servers.map(({ connections }) => connections.size);
  assert.deepEqual([sizes(), limiter.connections], [[1, 1, 1], 3]);
  socket.destroy();
  await once(socket, "close");
  assert.deepEqual([sizes(), limiter.connections], [[0, 0, 0], 0]);
});

test("counts incomplete heads only if there has been input", async (context) => {
  if ((performance.nodeTiming as { uvMetricsInfo?: object }).uvMetricsInfo === undefined) {
    context.skip("this version of Node does not count I/O events");
    return;
  }
  const connections = new Set([
    new ListenerConnection(new Socket(), 0, { closed: () => {} }, { isUnix: false }),
  ]);
  let checks = 0;
  const heads = new ArrivingHeads(
    {
      get size() {
        return connections.size;
      },
      [Symbol.iterator]() {
        checks += 1;
        return connections.values();
      },
    },
    () => assert.fail("no head is arriving"),
  );
  heads.start();
  await pause(1000);
  assert.ok(checks < 5, `${checks} checks in ten intervals without input`);
  connections.clear();
});
