/** When the signal of a request aborts, with which reason, and when it does not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { GatewayRequest } from "../../../src/gateway/types.ts";
import { until } from "../../support/command.ts";
import { startEngine, statuses } from "../../support/engine.ts";

const UPGRADE = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

test("a worker that stops immediately aborts the signal with that reason", async (t) => {
  let request: GatewayRequest | undefined;
  const engine = await startEngine(t, (given) => {
    request = given;
  });
  const client = await engine.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await until("the request has arrived", () => request);
  engine.server.destroy();
  await until("the signal aborts", () => request?.signal.aborted);
  assert.match(String(request?.signal.reason), /^RequestAborted/);
});

test("an upload cut short before it is read aborts the signal", async (t) => {
  const reasons: unknown[] = [];
  const engine = await startEngine(t, (request) => {
    request.signal.addEventListener("abort", () => reasons.push((request.signal.reason as Error).name));
  });
  const client = await engine.connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
  await pause(20);
  client.socket.end();
  assert.deepEqual(statuses(await client.rest()), [400]);
  assert.deepEqual(reasons, ["ClientGone"]);
});

test("a response sent after the client is gone is not counted", async (t) => {
  let finished: Promise<string> | undefined;
  const engine = await startEngine(t, (request, respond) => {
    finished = respond.finished().then(
      () => "finished",
      (error: Error) => error.name,
    );
    request.signal.addEventListener("abort", () => respond(499, null, "gone"));
  });
  const client = await engine.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await until("the request has arrived", () => finished !== undefined);
  client.socket.resetAndDestroy();
  assert.equal(await finished, "ClientGone");
  assert.equal(engine.server.requests, 0);
});

test("an upgrade ends its exchange: the request is no longer in flight, and its signal does not abort", async (t) => {
  let request: GatewayRequest | undefined;
  const engine = await startEngine(t, {
    handle: () => {},
    upgrade: (given, respond) => {
      request = given;
      respond.upgrade({ upgrade: "echo" });
    },
  });
  const client = await engine.connect();
  client.send(UPGRADE);
  await client.until((text) => text.includes("101"));
  assert.equal(request?.signal.aborted, false);
  assert.deepEqual(engine.server.inFlight(), []);
  client.socket.resetAndDestroy();
  await until("the connection is closed", () => engine.server.connections === 0);
  assert.equal(request?.signal.aborted, false);
});
