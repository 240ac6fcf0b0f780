/** Broken content gets a response even if the app sends none, for each way of reading and each fault. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { BodyError } from "../../src/errors.ts";
import type { GatewayRequest, Handler } from "../../src/gateway/types.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../../src/server/server-options.ts";
import { startEngine } from "../support/engine.ts";

async function drained(content: AsyncIterable<unknown>): Promise<void> {
  for await (const _piece of content);
}

const WAYS: Record<string, (request: GatewayRequest) => Promise<unknown>> = {
  bytes: ({ body }) => body.bytes(),
  text: ({ body }) => body.text(),
  json: ({ body }) => body.json(),
  iterator: ({ body }) => drained(body),
  stream: ({ body }) => drained(body.stream()),
  web: ({ body }) => drained(body.web()),
};

const chunked = "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";
const sized = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\n";
const MB = 1024 * 1024;

const FAULTS: Record<string, { bytes: string; status: number; ends?: boolean }> = {
  "a bad chunk size": { bytes: `${chunked}zz\r\n`, status: 400 },
  "a bad trailer": { bytes: `${chunked}1\r\nx\r\n0\r\nbad trailer\r\n\r\n`, status: 400 },
  "an early end": { bytes: `${sized}half`, status: 400, ends: true },
  "a stall": { bytes: `${sized}half`, status: 408 },
  "too much": { bytes: `${chunked}65\r\n${"x".repeat(101)}\r\n`, status: 413 },
  "a MB of chunk extensions": { bytes: `${chunked}1;${"a".repeat(MB)}`, status: 413 },
  "a MB of trailers": { bytes: `${chunked}0\r\n${"a: b\r\n".repeat(MB / 6)}\r\n`, status: 431 },
};

/** The head is sent alone, so that the app has begun to read before the fault. */
const HEAD_END = "\r\n\r\n";

for (const [way, read] of Object.entries(WAYS)) {
  describe(`read with ${way}, the error ignored`, () => {
    for (const [what, { bytes, status, ends = false }] of Object.entries(FAULTS)) {
      test(`${what} gets ${status} as soon as the handler settles`, async (t) => {
        let begun = (): void => {};
        const reading = new Promise<void>((resolve) => {
          begun = resolve;
        });
        const handler: Handler = async (request) => {
          const content = read(request);
          begun();
          await content.catch(() => {});
        };
        const engine = await startEngine(t, handler, {
          limits: { ...DEFAULT_LIMITS, body: 100 },
          timeouts: { ...DEFAULT_TIMEOUTS, body: 300 },
        });
        const client = await engine.connect();
        const cut = bytes.indexOf(HEAD_END) + HEAD_END.length;
        client.send(bytes.slice(0, cut));
        await reading;
        client.send(bytes.slice(cut));
        if (ends) client.socket.end();
        assert.match(
          await client.rest(),
          new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*\\r\\nConnection: close\\r\\n`),
        );
        assert.deepEqual(
          engine.errors.map((error) => error instanceof BodyError && error.status),
          [status],
          "one line, which blames the client",
        );
      });
    }
  });
}

const broken = `${chunked}1\r\nx\r\nzz\r\n`;

test("the app's own response to broken content is used, even if it takes a moment", async (t) => {
  const handler: Handler = async (request, respond) => {
    await request.body.bytes().catch(() => pause(100));
    respond(422, {}, "say that again");
  };
  const engine = await startEngine(t, handler);
  const answer = await engine.exchange(broken);
  assert.match(answer, /^HTTP\/1\.1 422 [\s\S]*\r\nConnection: close\r\n[\s\S]*say that again$/);
  assert.deepEqual(engine.errors, []);
});

test("an app with callbacks whose handler returned earlier, without a promise, may still respond", async (t) => {
  const handler: Handler = (request, respond) => {
    request.body.bytes().catch(async () => {
      await pause(100);
      respond(422, {}, "say that again");
    });
  };
  const engine = await startEngine(t, handler);
  const client = await engine.connect();
  client.send(chunked);
  await pause(50);
  client.send("zz\r\n");
  assert.match(await client.rest(), /^HTTP\/1\.1 422 /);
  assert.deepEqual(engine.errors, []);
});

test("an app that fails because of broken content is not reported as faulty", async (t) => {
  const handler: Handler = async (request) => {
    await request.body.bytes().catch(() => {});
    throw new TypeError("no content");
  };
  const engine = await startEngine(t, handler);
  const client = await engine.connect();
  client.send(chunked);
  await pause(50);
  client.send("zz\r\n");
  assert.match(await client.rest(), /^HTTP\/1\.1 400 /);
  assert.deepEqual(
    engine.errors.map(({ name, message }) => `${name}: ${message}`),
    ["BodyError: malformed chunk size (the app: TypeError: no content)"],
  );
});

test("content above a reader's limit gets 413, even if the app ignores the error", async (t) => {
  const handler: Handler = async (request) => {
    await request.body.bytes({ limit: 5 }).catch(() => {});
  };
  const engine = await startEngine(t, handler);
  for (const content of [`${sized}0123456789`, `${chunked}a\r\n0123456789\r\n`]) {
    const client = await engine.connect();
    client.send(content);
    assert.match(await client.rest(), /^HTTP\/1\.1 413 /);
  }
});

test("content that breaks while it is not read gets a response at once", async (t) => {
  const engine = await startEngine(t, () => new Promise(() => {}));
  const client = await engine.connect();
  client.send(broken);
  assert.match(await client.rest(), /^HTTP\/1\.1 400 /);
});
