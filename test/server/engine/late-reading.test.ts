/** A body read during or after the response is complete or fails, and never affects another request. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { GatewayRequest } from "../../../src/gateway/types.ts";
import { DEFAULT_TIMEOUTS } from "../../../src/server/server-options.ts";
import { until } from "../../support/command.ts";
import { startEngine, statuses } from "../../support/engine.ts";

const CHUNKED = "Transfer-Encoding: chunked\r\n";

function post(path: string, fields: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
}

async function text(request: GatewayRequest): Promise<string> {
  return request.body.text().catch((error: Error) => error.name);
}

test("reading that began before the response continues after it, to the last byte", async (t) => {
  for (const fields of ["Content-Length: 10\r\n", CHUNKED, "Connection: close\r\nContent-Length: 10\r\n"]) {
    let read: Promise<string> | undefined;
    const engine = await startEngine(t, (request, respond) => {
      read = text(request);
      respond(202, null, "accepted");
    });
    const client = await engine.connect();
    client.send(post("/", fields));
    await client.until((received) => received.endsWith("accepted"));
    if (fields === CHUNKED) client.send("5\r\nhello\r\n");
    else client.send("hello");
    await pause(30);
    if (fields === CHUNKED) client.send("5\r\nworld\r\n0\r\n\r\n");
    else client.send("world");
    assert.equal(await read, "helloworld", fields);
    if (fields.startsWith("Connection")) {
      await client.rest();
      continue;
    }
    client.send(post("/", "Content-Length: 2\r\nConnection: close\r\n"));
    client.send("ok");
    assert.equal(statuses(await client.rest()).length, 2);
    assert.equal(await read, "ok");
  }
});

test("a large body read slowly after the response is held back, and complete", async (t) => {
  const total = 20_000_000;
  let size = 0;
  const done = new Promise<void>((resolve) => {
    void startEngine(t, async (request, respond) => {
      const iterator = request.body[Symbol.asyncIterator]();
      const first = await iterator.next();
      size += first.value?.length ?? 0;
      respond(202, null, "accepted");
      await pause(100);
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
        size += next.value.length;
      }
      resolve();
    }).then(async (engine) => {
      const client = await engine.connect();
      client.send(post("/", `Content-Length: ${total}\r\n`));
      client.socket.write(Buffer.alloc(total));
    });
  });
  await done;
  assert.equal(size, total);
});

test("reading that begins after the response fails and does not affect the next request", async (t) => {
  const requests: GatewayRequest[] = [];
  const engine = await startEngine(t, (request, respond) => {
    requests.push(request);
    if (request.path !== "/waiting") respond(200, null, `answer ${request.path}`);
    else setTimeout(() => respond(200, null, "answer /waiting"), 100);
  });
  const client = await engine.connect();
  client.send(`${post("/1", "Content-Length: 5\r\n")}hello`);
  await client.until((received) => received.endsWith("answer /1"));
  // This client expects 100 Continue, which only the reader of its own body may trigger.
  client.send(post("/waiting", "Content-Length: 5\r\nExpect: 100-continue\r\n"));
  while (requests.length < 2) await pause(1);
  assert.equal(await text(requests[0] as GatewayRequest), "BodyError");
  await client.until((received) => received.endsWith("answer /waiting"));
  assert.deepEqual(statuses(client.received), [200, 200]);
  client.socket.destroy();
});

test("a reader that stops after the response does not block the next request", async (t) => {
  const engine = await startEngine(t, async (request, respond) => {
    if (request.path === "/next") return respond(200, null, "next");
    const iterator = request.body[Symbol.asyncIterator]();
    const first = iterator.next();
    respond(202, null, "accepted");
    await first;
    await iterator.return?.();
  });
  const client = await engine.connect();
  client.send(`${post("/", "Content-Length: 10\r\n")}hello`);
  await client.until((received) => received.endsWith("accepted"));
  await pause(30);
  client.send(`world${post("/next", "Content-Length: 0\r\n")}`);
  await client.until((received) => received.endsWith("next") || received.includes("close"));
  client.socket.destroy();
});

test("an app that pauses between pieces is not mistaken for a slow client", async (t) => {
  const engine = await startEngine(
    t,
    async (request, respond) => {
      let size = 0;
      for await (const chunk of request.body) {
        if (size === 0) await pause(300);
        size += chunk.length;
      }
      respond(200, null, String(size));
    },
    { timeouts: { ...DEFAULT_TIMEOUTS, body: 100 } },
  );
  const client = await engine.connect();
  // Many chunks in one read: the reader's buffer fills in the middle of it.
  const chunk = `1000\r\n${"x".repeat(4096)}\r\n`;
  client.send(post("/", CHUNKED) + chunk.repeat(60));
  await pause(10);
  client.send("0\r\n\r\n");
  await client.until((received) => received.endsWith(String(60 * 4096)), "the size");
  client.socket.destroy();
});

test("a body that arrives before it is read is held back like any other", async (t) => {
  const total = 50_000_000;
  let begun: (() => void) | undefined;
  let goOn: (() => void) | undefined;
  const engine = await startEngine(t, async (request, respond) => {
    await new Promise<void>((resolve) => {
      begun = resolve;
    });
    const iterator = request.body[Symbol.asyncIterator]();
    let size = (await iterator.next()).value?.length ?? 0;
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
      size += next.value.length;
    respond(200, null, String(size));
  });
  const client = await engine.connect();
  client.send(post("/", `Content-Length: ${total}\r\n`));
  let taken = false;
  client.socket.write(Buffer.alloc(total), () => {
    taken = true;
  });
  await until("the request is there", () => begun !== undefined);
  await pause(100);
  begun?.();
  await pause(300);
  assert.ok(!taken, "the whole body was read into memory");
  goOn?.();
  await client.until((received) => received.endsWith(String(total)), "the size", 20_000);
  client.socket.destroy();
});

test("a client that disconnects while its whole body waits for the reader is noticed", async (t) => {
  let aborted = false;
  const engine = await startEngine(t, async (request) => {
    request.signal.addEventListener("abort", () => {
      aborted = true;
    });
    const iterator = request.body[Symbol.asyncIterator]();
    for (let read = 0; read < 4000; ) read += (await iterator.next()).value?.length ?? 0;
    // 66,000 bytes are left: the last of them fill the reader's buffer.
    await new Promise(() => {});
  });
  const client = await engine.connect();
  const chunk = `64\r\n${"x".repeat(100)}\r\n`;
  client.send(post("/", CHUNKED) + chunk.repeat(690));
  await pause(100);
  client.send(`${chunk.repeat(10)}0\r\n\r\n`);
  await pause(50);
  client.socket.destroy();
  const deadline = Date.now() + 3000;
  while (!aborted) {
    assert.ok(Date.now() < deadline, "the signal did not abort");
    await pause(5);
  }
});

test("a reader that stalls after the response does not keep the connection forever", async (t) => {
  const engine = await startEngine(
    t,
    async (request, respond) => {
      await request.body[Symbol.asyncIterator]().next();
      respond(415, null, "no, thanks");
    },
    { timeouts: { ...DEFAULT_TIMEOUTS, body: 100 } },
  );
  for (const sent of [1000, 2_000_000]) {
    const client = await engine.connect();
    client.send(post("/", "Content-Length: 5000000\r\n"));
    client.socket.write(Buffer.alloc(sent));
    assert.deepEqual(statuses(await client.rest()), [415]);
  }
});
