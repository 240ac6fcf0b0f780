/** Fairness: no response occupies the event loop, and deadlines are checked after input is read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_TIMEOUTS } from "../../../src/server/server-options.ts";
import { until } from "../../support/command.ts";
import { startEngine, statuses } from "../../support/engine.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

for (const way of ["writer", "iterable"]) {
  test(`a ${way} whose pieces are sent without waiting gives other connections a turn`, async (t) => {
    let turns = 0;
    let counting = true;
    const count = (): void => {
      turns += 1;
      if (counting) setImmediate(count);
    };
    t.after(() => {
      counting = false;
    });
    const pieces = 10_000;
    const engine = await startEngine(t, async (_request, respond) => {
      setImmediate(count);
      if (way === "iterable")
        return respond(
          200,
          null,
          Array.from({ length: pieces }, () => "piece\n"),
        );
      const writer = respond(200);
      for (let piece = 0; piece < pieces; piece += 1) await writer.write("piece\n");
      await writer.end();
    });
    const client = await engine.connect();
    // The system's buffers take all that is sent.
    client.socket.pause();
    client.send(GET);
    await until("the response is complete", () => engine.server.requests === 1);
    assert.ok(turns > 50, `${turns} turns`);
    client.socket.destroy();
  });
}

test("streams that answer pipelined requests give other connections a turn", async (t) => {
  let turns = 0;
  let counting = true;
  const count = (): void => {
    turns += 1;
    if (counting) setImmediate(count);
  };
  t.after(() => {
    counting = false;
  });
  const requests = 200;
  const pieces = Array.from({ length: 50 }, () => "piece\n");
  const engine = await startEngine(t, (_request, respond) => {
    if (turns === 0) setImmediate(count);
    respond(200, null, pieces);
  });
  const client = await engine.connect();
  client.send(GET.repeat(requests));
  await client.until((text) => statuses(text).length === requests && text.endsWith("\r\n0\r\n\r\n"));
  assert.ok(turns > 50, `${turns} turns`);
  client.socket.destroy();
});

test("a request that arrived while the loop was blocked is not late", async (t) => {
  const engine = await startEngine(t, (_request, respond) => respond(200, null, "hello"), {
    timeouts: { ...DEFAULT_TIMEOUTS, header: 200, keepAlive: 200 },
  });
  const idle = await engine.connect();
  idle.send(GET);
  await idle.until((text) => text.endsWith("hello"));
  const arriving = await engine.connect();
  arriving.send("GET / HT");
  await new Promise((resolve) => setTimeout(resolve, 20));
  // Both are in the system's buffers before the deadlines, and read after them.
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
