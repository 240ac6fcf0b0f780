/**
 * Clients that make a session cost more than its requests. Each flood is bounded: the session gets GOAWAY with
 * ENHANCE_YOUR_CALM, and others are served. docs/http2.md names the vulnerabilities that each has been in other servers.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Handler } from "../../../src/gateway/types.ts";
import { ask, startHttp2Engine } from "../../support/http2-engine.ts";
import {
  FrameClient,
  field,
  frame,
  GET,
  POST,
  request,
  reset,
  settings,
  windowUpdate,
} from "../../support/http2-frames.ts";

const CALM = 11;
/** Frames of a flood at most. A budget grows while its flood lasts, so on a slow machine it takes more of them. */
const MANY = 60_000;
/** Frames sent in one turn: far more than any budget grows by meanwhile. */
const BATCH = 200;

interface Flood {
  readonly what: string;
  /** The excess that is reported. */
  readonly excess: string;
  /** With which node:http2 may end the session before the budget is used up: from Node 24 on it bounds this itself. */
  readonly earlier?: number;
  /** Sent once before. */
  readonly first?: readonly Uint8Array[];
  /** The nth part of the flood. */
  part(index: number): Uint8Array;
}

const stream = (index: number): number => 2 * index + 1;

const FLOODS: readonly Flood[] = [
  {
    what: "rapid reset (CVE-2023-44487)",
    excess: "cancelled requests",
    part: (index) => Buffer.concat([request(stream(index)), reset(stream(index))]),
  },
  {
    what: "streams that the server is made to reset (CVE-2025-8671)",
    excess: "stream errors",
    earlier: 2,
    // Content that contradicts its declared length.
    part: (index) => {
      const head = request(stream(index), Buffer.concat([POST, field("content-length", "1")]), 4);
      return Buffer.concat([head, frame(0, 0, stream(index), Buffer.alloc(40))]);
    },
  },
  { what: "SETTINGS (CVE-2019-9515)", excess: "SETTINGS frames", part: () => settings([3, 100]) },
  { what: "PING (CVE-2019-9512)", excess: "PING frames", part: () => frame(6, 0, 0, Buffer.alloc(8)) },
  {
    what: "PRIORITY (CVE-2019-9513)",
    excess: "priority frames",
    part: (index) => frame(2, 0, stream(index), [0, 0, 0, 0, 16]),
  },
  {
    what: "WINDOW_UPDATE",
    excess: "WINDOW_UPDATE frames",
    part: () => windowUpdate(0, 1),
  },
  {
    what: "empty DATA (CVE-2019-9518)",
    excess: "empty frames",
    first: [request(1, POST, 4)],
    part: () => frame(0, 0, 1),
  },
  {
    what: "DATA of padding only",
    excess: "empty frames",
    first: [request(1, POST, 4)],
    part: () => frame(0, 8, 1, [3, 0, 0, 0]),
  },
  {
    what: "DATA of one byte",
    excess: "tiny DATA frames",
    first: [request(1, POST, 4)],
    part: () => frame(0, 0, 1, [1]),
  },
  { what: "unknown frames", excess: "unknown frames", part: () => frame(0xbb, 0, 0, [1]) },
  {
    what: "CONTINUATION without end (CVE-2024-27316, CVE-2024-27983)",
    excess: "CONTINUATION frames",
    first: [request(1, GET, 1)],
    part: () => frame(9, 0, 1, field("a", "b")),
  },
  {
    what: "a header block without end, in large frames",
    excess: "bytes of one header block",
    first: [request(1, GET, 1)],
    part: () => frame(9, 0, 1, field("a", "b".repeat(16_000))),
  },
];

describe("floods", () => {
  for (const { what, excess, earlier, first = [], part } of FLOODS) {
    test(`${what} end the session, and no other`, async (context) => {
      const engine = await startHttp2Engine(context, async (request, respond) => {
        for await (const _ of request.body);
        respond(200, {}, "ok");
      });
      const other = await engine.session();
      context.after(() => other.destroy());
      const client = new FrameClient(await engine.connect());
      context.after(() => client.socket.destroy());
      client.send(...first);
      for (let index = 0; index < MANY && client.goaway === undefined && !client.ended; index += BATCH) {
        client.send(...Array.from({ length: BATCH }, (_, nth) => part(index + nth)));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await client.until(() => client.goaway !== undefined, "a GOAWAY");
      if (client.goaway !== earlier) {
        assert.equal(client.goaway, CALM);
        assert.deepEqual(engine.excesses, [excess]);
      }
      assert.equal((await ask(other)).text, "ok");
      assert.deepEqual(engine.errors, []);
    });
  }
});

test("a client that cancels does not get more handlers than twice its streams", async (context) => {
  let running = 0;
  let most = 0;
  const engine = await startHttp2Engine(
    context,
    async (_request, respond) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 300));
      running -= 1;
      respond(200, {}, "late");
    },
    { sessions: { maxConcurrentStreams: 10 } },
  );
  const client = new FrameClient(await engine.connect());
  context.after(() => client.socket.destroy());
  for (let index = 0; index < 200; index += 1) client.send(request(stream(index)), reset(stream(index)));
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(most > 0 && most <= 20, `${most} handlers at once`);
});

test("streams beyond the maximum are refused in a way that lets the client repeat them", async (context) => {
  const engine = await startHttp2Engine(context, () => {}, { sessions: { maxConcurrentStreams: 3 } });
  const client = new FrameClient(await engine.connect());
  context.after(() => client.socket.destroy());
  for (let index = 0; index < 5; index += 1) client.send(request(stream(index)));
  assert.equal((await client.frame(3, 9)).value, 7);
  assert.equal((await client.frame(3, 7)).value, 7);
  assert.equal(client.frames.filter(({ type }) => type === 3).length, 2);
  assert.equal(engine.server.inFlight().length, 3);
});

test("a client that reads nothing of a response loses its stream after the time for bodies", async (context) => {
  const timeouts = {
    header: 5000,
    body: 200,
    bodyTotal: 5000,
    bodyMinRate: 0,
    request: 5000,
    keepAlive: 5000,
    responseMinRate: 0,
  };
  let end: Error | undefined;
  const engine = await startHttp2Engine(
    context,
    async (_request, respond) => {
      const writer = respond(200);
      try {
        for (;;) await writer.write("x".repeat(10_000));
      } catch (error) {
        end = error as Error;
      }
    },
    { timeouts },
  );
  // A window of no bytes.
  const client = new FrameClient(await engine.connect(), settings([4, 0]));
  context.after(() => client.socket.destroy());
  client.send(request(1));
  assert.equal((await client.frame(3, 1)).value, 8);
  assert.match(String(end), /ClientGone/);
  assert.equal(engine.server.inFlight().length, 0);
});

test("a header block that never ends is given up after the time for heads", async (context) => {
  const timeouts = {
    header: 200,
    body: 5000,
    bodyTotal: 5000,
    bodyMinRate: 0,
    request: 5000,
    // Not what ends it.
    keepAlive: 60_000,
    responseMinRate: 0,
  };
  const engine = await startHttp2Engine(context, () => {}, { timeouts });
  const client = new FrameClient(await engine.connect());
  context.after(() => client.socket.destroy());
  client.send(request(1, GET, 1));
  await client.until(() => client.ended, "the end");
});

for (const { limit, references } of [
  { limit: 65_536, references: 1000 },
  // Less than what node:http2 takes of a client that never acknowledges the settings.
  { limit: 8192, references: 5 },
])
  test(`a header list larger than ${limit} bytes, by ${references} references to one large field, is refused without being kept`, async (context) => {
    const handle: Handler = (_request, respond) => respond(200, {}, "ok");
    const engine = await startHttp2Engine(context, handle, { sessions: { maxHeaderListSize: limit } });
    const client = new FrameClient(await engine.connect());
    context.after(() => client.socket.destroy());
    // A field of 3 kB that goes into the table (RFC 7541 section 6.2.1), and references to it.
    const large = Buffer.concat([Buffer.from([0x40, 1, 0x78]), field("x", "y".repeat(3000)).subarray(3)]);
    const block = Buffer.concat([GET, large, Buffer.alloc(references, 0x80 | 62)]);
    client.send(request(1, block));
    const { value } = await client.frame(3, 1);
    assert.equal(value, CALM);
    client.send(request(3));
    await client.frame(1, 3);
  });
