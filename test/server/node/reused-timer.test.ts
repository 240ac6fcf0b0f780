/** A socket whose timer is kept times out exactly when one of node's own would. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { reuseTimer } from "../../../src/server/node/reused-timer.ts";
import { TickClock } from "../../../src/server/tick-clock.ts";

const KEEP_ALIVE_MS = 150;
const DEADLINE_MS = 10_000;
const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

interface Exchanged {
  readonly accepted: Socket;
  /** Sends a request and resolves when the response is complete. */
  ask(): Promise<void>;
  /** Resolves when the server has closed the connection, with the milliseconds since the last response. */
  closed(): Promise<number>;
}

async function start(t: TestContext, listener: RequestListener): Promise<Exchanged> {
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, listener);
  const clock = new TickClock([KEEP_ALIVE_MS], () => {});
  server.on("connection", (socket) => reuseTimer(socket, clock));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1").setEncoding("latin1");
  const [accepted] = (await once(server, "connection")) as [Socket];
  t.after(() => {
    clock.stop();
    client.destroy();
    server.close();
  });
  const closing = once(client, "close");
  let answeredAt = 0;
  return {
    accepted,
    async ask() {
      client.write(REQUEST);
      await once(client, "data", { signal: AbortSignal.timeout(DEADLINE_MS) });
      answeredAt = performance.now();
    },
    async closed() {
      await closing;
      return performance.now() - answeredAt;
    },
  };
}

/** The timer of a socket, which node keeps by a symbol. */
function timerOf(socket: Socket): unknown {
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === "timeout");
  assert.ok(symbol !== undefined);
  return (socket as unknown as Record<symbol, unknown>)[symbol];
}

test("an idle connection closes after the keep-alive timeout, counted from its last response", async (t) => {
  const { accepted, ask, closed } = await start(t, (_request, response) => response.end("x"));
  await ask();
  const timer = timerOf(accepted);
  const { timeout = 0 } = accepted;
  assert.ok(timeout >= KEEP_ALIVE_MS);
  for (let count = 0; count < 3; count += 1) await ask();
  assert.equal(timerOf(accepted), timer, "a response has made a timer of its own");
  const idle = await closed();
  assert.ok(idle >= timeout - 5 && idle < DEADLINE_MS, `closed after ${idle} of ${timeout} ms`);
});

test("a connection with a request now and then stays open for longer than its timeout, and closes that long after the last", async (t) => {
  const { accepted, ask, closed } = await start(t, (_request, response) => response.end("x"));
  let timeouts = 0;
  accepted.on("timeout", () => {
    timeouts += 1;
  });
  await ask();
  const { timeout = 0 } = accepted;
  const longAfter = performance.now() + timeout * 1.5;
  while (performance.now() < longAfter) {
    await delay(timeout / 10);
    await ask();
    assert.equal(accepted.timeout, timeout);
  }
  // The timer has fired in that time, but not for the app.
  assert.equal(timeouts, 0);
  const idle = await closed();
  assert.ok(idle >= timeout - 5, `closed after ${idle} of ${timeout} ms`);
  assert.equal(timeouts, 1);
});

test("a request longer than the keep-alive timeout is answered, and the timeout still applies afterwards", async (t) => {
  let wait = 0;
  const { accepted, ask, closed } = await start(t, (_request, response) => {
    setTimeout(() => response.end("x"), wait);
  });
  let timeouts = 0;
  accepted.on("timeout", () => {
    timeouts += 1;
  });
  await ask();
  const { timeout = 0 } = accepted;
  wait = timeout + 100;
  await ask();
  assert.equal(timeouts, 0);
  const idle = await closed();
  assert.ok(idle >= timeout - 5, `closed after ${idle} of ${timeout} ms`);
  assert.equal(timeouts, 1);
});

test("an app's own timeouts apply, also one as long as the timer that is suspended", async (t) => {
  let length = 0;
  const { accepted, ask } = await start(t, (_request, response) => {
    if (length === 0) response.end("x");
    else response.setTimeout(length, () => response.end("x"));
  });
  await ask();
  const { timeout = 0 } = accepted;
  for (length of [timeout, 40]) {
    const began = performance.now();
    await ask();
    const waited = performance.now() - began;
    assert.ok(waited >= length - 5, `timed out after ${waited} of ${length} ms`);
  }
});
