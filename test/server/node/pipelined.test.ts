/** Requests that a client sends without waiting for responses: which of them run, and in what order they are answered. */
import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { test } from "node:test";
import { type RawClient, statuses } from "../../support/engine.ts";
import { onBothServers } from "../../support/node-engine.ts";

const NEXT = "POST /next HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";

/** Requests that we refuse although node's parser has accepted them. */
const REFUSED: Readonly<Record<string, readonly [text: string, status: number]>> = {
  "an unknown expectation": ["GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417],
  "a malformed Host": ["GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400],
  "two Host fields": ["GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400],
  "an unknown coding": [
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    501,
  ],
  // With the tab, node's parser sees no content, and would take it for a request.
  "chunks of a request for another protocol": [
    "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\t\r\n\r\n",
    501,
  ],
  "chunks in HTTP/1.0": [
    "POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    400,
  ],
};

const LISTENER =
  (seen: string[]): RequestListener =>
  (request, response) => {
    seen.push(request.url ?? "");
    request.resume();
    response.setHeader("Content-Length", 2);
    // Later, so that all requests of one read are there before the first response.
    setImmediate(() => response.end("ok"));
  };

async function responded(client: RawClient, count: number): Promise<string> {
  return await client.until((received) => statuses(received).length >= count, `${count} responses`);
}

onBothServers((start) => {
  for (const [what, [text, status]] of Object.entries(REFUSED)) {
    for (const manner of ["in one piece", "later"]) {
      test(`what comes behind ${what} does not run, ${manner}`, async (t) => {
        const seen: string[] = [];
        const engine = await start(t, LISTENER(seen));
        const client = await engine.client();
        client.send(manner === "later" ? `${NEXT}${text}` : `${NEXT}${text}${NEXT}`);
        await responded(client, 2);
        if (manner === "later") client.send(NEXT);
        client.socket.end();
        const received = await client.rest();
        assert.deepEqual(statuses(received), [200, status]);
        assert.deepEqual(seen, ["/next"]);
      });
    }
  }

  test("a client that still sends gets the refusal, not a reset", async (t) => {
    const engine = await start(t, LISTENER([]));
    const client = await engine.client();
    const megabytes = 8;
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nExpect: x\r\nContent-Length: ${megabytes * 2 ** 20}\r\n\r\n`);
    await responded(client, 1);
    const broken: Error[] = [];
    client.socket.on("error", (error) => broken.push(error));
    for (let sent = 0; sent < megabytes; sent += 1) client.send(Buffer.alloc(2 ** 20));
    await new Promise<void>((resolve) => client.socket.end(resolve));
    assert.deepEqual(statuses(await client.rest()), [417]);
    assert.deepEqual(broken, []);
  });

  test("a 100 comes behind the responses to earlier requests", async (t) => {
    const engine = await start(t, LISTENER([]));
    const client = await engine.client();
    client.send(`${NEXT}POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n`);
    await responded(client, 2);
    client.send(`y${NEXT}`);
    assert.deepEqual(statuses(await responded(client, 4)), [200, 100, 200, 200]);
    assert.match(client.received, /\r\n\r\nokHTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    client.socket.destroy();
  });

  test("CONNECT is refused behind the responses to earlier requests", async (t) => {
    const engine = await start(t, LISTENER([]));
    const client = await engine.client();
    client.send(`${NEXT}CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n`);
    client.socket.end();
    assert.deepEqual(statuses(await client.rest()), [200, 501]);
  });

  test("an app is given the connection behind the responses to earlier requests", async (t) => {
    const engine = await start(t, LISTENER([]), {
      upgrade: (_request, socket, head) => {
        socket.end(`HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n${head}`);
      },
    });
    const client = await engine.client();
    client.send(`${NEXT}GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello`);
    const received = await client.rest();
    assert.deepEqual(statuses(received), [200, 101]);
    assert.match(received, /hello$/);
  });

  test("a server that drains answers all requests that it has taken", async (t) => {
    const seen: string[] = [];
    const answers: (() => void)[] = [];
    const engine = await start(t, (request, response) => {
      seen.push(request.url ?? "");
      request.resume();
      answers.push(() => response.end("ok"));
    });
    const client = await engine.client();
    client.send(`${NEXT}${NEXT}`);
    while (answers.length < 2) await new Promise(setImmediate);
    const drained = engine.server.drain(0);
    client.send(NEXT);
    for (const answer of answers) answer();
    const received = await client.rest();
    await drained;
    assert.deepEqual(statuses(received), [200, 200]);
    assert.deepEqual(
      [...received.matchAll(/^connection: (.*)\r$/gim)].map((match) => match[1]),
      ["keep-alive", "close"],
    );
    assert.deepEqual(seen, ["/next", "/next"]);
  });
});
