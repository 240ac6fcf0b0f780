/** Whether a connection lingers after its last response, in which no reset may overtake the response. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";
import type { Handler } from "../../../src/gateway/types.ts";
import { until } from "../../support/command.ts";
import { startEngine } from "../../support/engine.ts";

const LAST = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";

const HANDLERS: { readonly [what: string]: Handler } = {
  "at once": (_request, respond) => respond(200, null, "done"),
  later: async (_request, respond) => {
    await nextTurn();
    respond(200, null, "done");
  },
  "in pieces": (_request, respond) => {
    const writer = respond(200, null);
    writer.write("do");
    setImmediate(() => writer.end("ne"));
  },
};

for (const [what, handler] of Object.entries(HANDLERS)) {
  test(`a client that has announced its last request is not waited for: answered ${what}`, async (t) => {
    const engine = await startEngine(t, handler);
    for (const last of [LAST, LAST.replace("GET", "HEAD"), "GET / HTTP/1.0\r\n\r\n"]) {
      const client = await engine.connect();
      client.send(last);
      assert.match(await client.rest(), /^HTTP\/1\.1 200 OK\r\n/);
      await until("the connection is closed", () => engine.server.connections === 0);
    }
    // Its own side stays open.
    const open = await engine.connect();
    open.send(LAST);
    await open.until((text) => /\r\n\r\n(done|4\r\ndone|2\r\ndo\r\n2\r\nne)/.test(text));
    await until("the connection is closed", () => engine.server.connections === 0);
    assert.equal(open.socket.writable, true);
    assert.deepEqual(engine.errors, []);
  });

  test(`one that sends more all the same is: answered ${what}`, async (t) => {
    const engine = await startEngine(t, handler);
    for (const sent of [`${LAST}GET /2 HTTP/1.1\r\nHost: a\r\n\r\n`, POST, LAST.replace("close", "x")]) {
      const client = await engine.connect();
      client.send(sent);
      await client.until((text) => text.includes("ne"));
      await pause(30);
      assert.equal(engine.server.connections, 1, sent);
      client.socket.destroy();
      await until("the connection is closed", () => engine.server.connections === 0);
    }
  });
}

test("a client that sends in pieces is lingered for: one more may be on its way", async (t) => {
  const engine = await startEngine(t, (_request, respond) => respond(200, null, "done"));
  const client = await engine.connect();
  client.send(LAST.slice(0, -1));
  await until("the head has begun", () => engine.server.connections === 1);
  await pause(10);
  client.send(LAST.slice(-1));
  await client.until((text) => text.includes("done"));
  for (let count = 0; count < 20; count += 1) {
    client.send("G");
    await nextTurn();
  }
  assert.equal(client.socket.errored, null);
  client.socket.destroy();
  await until("the connection is closed", () => engine.server.connections === 0);
});

test("a large last response reaches a client that reads slowly", async (t) => {
  const content = Buffer.alloc(30_000_000, "x");
  const engine = await startEngine(t, (_request, respond) => respond(200, null, content));
  const client = await engine.connect();
  client.socket.pause();
  client.send(LAST);
  await pause(50);
  assert.equal(engine.server.connections, 1);
  client.socket.resume();
  assert.equal((await client.rest()).length > content.length, true);
  await until("the connection is closed", () => engine.server.connections === 0);
});

test("a client that never reads its last response is given up", async (t) => {
  const { DEFAULT_TIMEOUTS } = await import("../../../src/server/server-options.ts");
  const content = Buffer.alloc(30_000_000, "x");
  const engine = await startEngine(t, (_request, respond) => respond(200, null, content), {
    timeouts: { ...DEFAULT_TIMEOUTS, body: 200 },
  });
  const client = await engine.connect();
  client.socket.pause();
  client.send(LAST);
  await until("the connection is open", () => engine.server.connections === 1);
  await until("the connection is closed", () => engine.server.connections === 0);
});
