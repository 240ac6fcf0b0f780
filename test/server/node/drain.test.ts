/**
 * A drain that races with the next request of a connection: the client has a whole response that did not announce the
 * close, and sends on, while the server does not see that response as complete yet.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { until } from "../../support/command.ts";
import { statuses } from "../../support/engine.ts";
import { onBothServers } from "../../support/node-engine.ts";
import { OVER_TLS, trusted } from "../../support/tls-front.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
const LINGER_MS = 300;

/** A client in a thread: it sends its second request when it has the first response, whatever this thread does. */
const CLIENT = `
  const { parentPort, workerData } = require("node:worker_threads");
  const { port, ca, request, sent } = workerData;
  const target = { port, host: "127.0.0.1", servername: "localhost", ca };
  const isTls = ca !== undefined;
  const socket = require(isTls ? "node:tls" : "node:net").connect(target);
  let received = "";
  socket.once(isTls ? "secureConnect" : "connect", () => socket.write(request));
  socket.setEncoding("latin1").on("data", (text) => {
    const isFirst = !received.includes("hello");
    received += text;
    if (!isFirst || !received.includes("hello")) return;
    socket.write(request, () => {
      Atomics.store(sent, 0, 1);
      Atomics.notify(sent, 0);
    });
  });
  socket.on("error", () => {}).on("close", () => parentPort.postMessage(received));
`;

function connectionFields(received: string): string[] {
  return [...received.matchAll(/^connection: (.*)\r$/gim)].map((match) => match[1] ?? "");
}

onBothServers((start) => {
  for (const request of [GET, POST])
    test(`a ${request.slice(0, 4).trim()} that follows a response within its turn is answered`, async (t) => {
      const sent = new Int32Array(new SharedArrayBuffer(4));
      let requests = 0;
      const engine = await start(t, (incoming, response) => {
        requests += 1;
        incoming.resume();
        response.setHeader("content-length", 5);
        if (requests > 1) {
          response.end("hello");
          return;
        }
        // By a timer: the input of this turn of the loop is still to come.
        setTimeout(() => {
          response.end("hello");
          void engine.server.drain(LINGER_MS);
          Atomics.wait(sent, 0, 0, 10_000);
        }, 5);
      });
      const ca = OVER_TLS ? trusted().ca : undefined;
      const workerData = { port: engine.port, ca, request, sent };
      const [received] = (await once(new Worker(CLIENT, { eval: true, workerData }), "message")) as [string];
      assert.equal(Atomics.load(sent, 0), 1, received);
      assert.deepEqual(statuses(received), [200, 200]);
      assert.deepEqual(connectionFields(received), ["keep-alive", "close"]);
    });

  test("a request that follows content of the announced length is answered, before the app ends the response", async (t) => {
    const responses: ServerResponse[] = [];
    const engine = await start(t, (_request, response) => {
      responses.push(response);
      response.setHeader("content-length", 5);
      response.write("hello");
    });
    const client = await engine.client();
    client.send(GET);
    await client.until((received) => received.endsWith("hello"));
    const drained = engine.server.drain(LINGER_MS);
    client.send(GET);
    await until("the second request has arrived", () => responses.length === 2);
    for (const response of responses) response.end();
    assert.deepEqual(statuses(await client.rest()), [200, 200]);
    await drained;
  });

  test("so it is when the app itself has announced that the connection stays open", async (t) => {
    const responses: ServerResponse[] = [];
    const engine = await start(t, (_request, response) => {
      responses.push(response);
      response.writeHead(200, { connection: "keep-alive", "content-length": 5 });
      if (responses.length === 1) response.write("hello");
      else response.end("hello");
    });
    const client = await engine.client();
    const drained = engine.server.drain(LINGER_MS);
    client.send(GET);
    await client.until((received) => received.endsWith("hello"));
    client.send(GET);
    await until("the second request has arrived", () => responses.length === 2);
    responses[0]?.end();
    assert.deepEqual(statuses(await client.rest()), [200, 200]);
    await drained;
  });

  test("nothing runs behind a response that announces the close", async (t) => {
    const responses: ServerResponse[] = [];
    const engine = await start(t, (_request, response) => {
      responses.push(response);
      response.setHeader("content-length", 5);
      response.write("hello");
    });
    const client = await engine.client();
    const drained = engine.server.drain(LINGER_MS);
    client.send(GET);
    await client.until((received) => received.endsWith("hello"));
    client.send(GET);
    await until("its bytes have arrived", () => (responses[0]?.req.socket.bytesRead ?? 0) > GET.length);
    responses[0]?.end();
    assert.deepEqual(statuses(await client.rest()), [200]);
    assert.equal(responses.length, 1);
    await drained;
  });
});
