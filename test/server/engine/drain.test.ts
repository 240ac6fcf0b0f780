/** A drain that races with the next request of a connection, as in `node/drain.test.ts`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startEngine, statuses } from "../../support/engine.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LINGER_MS = 300;

for (const isAnnounced of [false, true])
  test(`a request that follows a whole response is ${isAnnounced ? "not run if that announced the close" : "answered"}`, async (t) => {
    let requests = 0;
    const ends: (() => void)[] = [];
    const engine = await startEngine(t, (request, respond) => {
      if (request.target === "/other") return respond(200, null, "other");
      requests += 1;
      async function* content(): AsyncGenerator<string> {
        yield "hello";
        // The client has all that was announced.
        if (requests === 1) await new Promise<void>((resolve) => ends.push(resolve));
      }
      return respond(200, { "content-length": "5" }, content());
    });
    const client = await engine.connect();
    const other = await engine.connect();
    const drain = (): Promise<void> => engine.server.drain(LINGER_MS);
    const early = isAnnounced ? drain() : undefined;
    client.send(GET);
    await client.until((received) => received.endsWith("hello"));
    const drained = early ?? drain();
    client.send(GET);
    // Whatever was sent before this has arrived with it.
    other.send("GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.deepEqual(statuses(await other.rest()), [200]);
    for (const end of ends) end();
    assert.deepEqual(statuses(await client.rest()), isAnnounced ? [200] : [200, 200]);
    assert.equal(requests, isAnnounced ? 1 : 2);
    await drained;
  });
