/** RFC 9112 section 2.2: an empty line before a request is ignored, also if it comes in two pieces. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_TIMEOUTS } from "../../../src/server/server-options.ts";
import { startEngine, statuses } from "../../support/engine.ts";

const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

test("a connection is idle behind an empty line in two pieces", async (t) => {
  const engine = await startEngine(t, (_request, respond) => respond(200, {}, "ok"), {
    timeouts: { ...DEFAULT_TIMEOUTS, header: 60_000 },
  });
  const client = await engine.connect();
  client.send(`${REQUEST}\r`);
  await client.until((received) => received.endsWith("ok"));
  // Bytes sent before have been read once a request by another connection has been answered.
  await engine.exchange(REQUEST);
  client.send("\n");
  await engine.exchange(REQUEST);
  client.socket.end();
  // A connection in the middle of a head would be kept for the whole header timeout.
  assert.deepEqual(statuses(await client.rest(5000)), [200]);
});
