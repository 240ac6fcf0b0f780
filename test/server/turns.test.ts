/** Everybody gets a turn: no clock is read before the mail is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_TIMEOUTS } from "../../src/server/engine-options.ts";
import { startEngine, statuses } from "../support/engine.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

test("a request that came while the loop was blocked is not too late", async (t) => {
  const engine = await startEngine(t, (_request, respond) => respond(200, null, "hello"), {
    timeouts: { ...DEFAULT_TIMEOUTS, header: 200, keepAlive: 200 },
  });
  const idle = await engine.connect();
  idle.send(GET);
  await idle.until((text) => text.endsWith("hello"));
  const arriving = await engine.connect();
  arriving.send("GET / HT");
  await new Promise((resolve) => setTimeout(resolve, 20));
  // Both are in the buffers of the system before the deadlines, and looked at behind them.
  idle.send(GET);
  arriving.send("TP/1.1\r\nHost: a\r\n\r\n");
  const end = performance.now() + 400;
  while (performance.now() < end);
  await idle.until((text) => statuses(text).length === 2, "the second answer");
  await arriving.until((text) => text.endsWith("hello"), "the answer");
  assert.deepEqual(statuses(arriving.received), [200]);
  idle.socket.destroy();
  arriving.socket.destroy();
});
