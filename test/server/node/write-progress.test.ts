/** Clients of node's server that do not read their response, or read it slowly. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { DEFAULT_TIMEOUTS } from "../../../src/server/server-options.ts";
import { until } from "../../support/command.ts";
import { onBothServers } from "../../support/node-engine.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const STALL_MS = 300;
const timeouts = { ...DEFAULT_TIMEOUTS, body: STALL_MS };
/** More than the socket buffers hold. */
const LARGE = Buffer.alloc(30_000_000, "x");
const STEP = 1_000_000;

onBothServers((startNodeEngine) => {
  test("destroys the connection of a client that stops reading", async (context) => {
    const { server, client } = await startNodeEngine(context, (_request, response) => response.end(LARGE), {
      timeouts,
    });
    const raw = await client();
    raw.socket.pause();
    raw.socket.write(GET.repeat(3));
    await until("the request has arrived", () => server.inFlight().length > 0);
    await until("the connection is destroyed", () => server.connections === 0, 5000);
    assert.deepEqual(server.inFlight(), []);
    raw.socket.destroy();
  });

  test("a client that reads slowly gets all of a large write", async (context) => {
    const { client } = await startNodeEngine(context, (_request, response) => response.end(LARGE), {
      timeouts,
    });
    const raw = await client();
    raw.socket.removeAllListeners("data");
    let received = 0;
    let step = 0;
    const start = performance.now();
    raw.socket.on("data", async (text: string) => {
      received += text.length;
      step += text.length;
      if (step < STEP) return;
      step = 0;
      raw.socket.pause();
      await pause(STALL_MS / 3);
      raw.socket.resume();
    });
    raw.socket.write(GET);
    await until(
      "everything has arrived, or the connection has ended",
      () => received > LARGE.length || raw.ended,
    );
    assert.ok(received > LARGE.length, `${received} bytes received`);
    assert.ok(performance.now() - start > 2 * STALL_MS, "the client did not read slowly");
    raw.socket.destroy();
  });

  test("an app can set a longer timeout on the socket", async (context) => {
    const { server, client } = await startNodeEngine(
      context,
      (request, response) => {
        request.socket.setTimeout(60_000);
        response.end(LARGE);
      },
      { timeouts },
    );
    const raw = await client();
    raw.socket.pause();
    raw.socket.write(GET);
    await until("the request has arrived", () => server.inFlight().length > 0);
    await pause(3 * STALL_MS);
    assert.equal(server.connections, 1);
    raw.socket.destroy();
  });

  test("an upgraded connection has no timeout", async (context) => {
    const { server, client } = await startNodeEngine(context, () => {}, {
      timeouts,
      upgrade: (_request, socket) => void socket.write(LARGE),
    });
    const raw = await client();
    raw.socket.pause();
    raw.socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    await pause(3 * STALL_MS);
    assert.equal(server.connections, 1);
    raw.socket.destroy();
  });
});
