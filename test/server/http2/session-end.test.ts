/** The end of a session: two GOAWAYs, with requests answered between them, and no later than is due. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Handler } from "../../../src/gateway/types.ts";
import { FrameType } from "../../../src/server/http2/frame-walker.ts";
import { startEngine } from "../../support/engine.ts";
import { type Http2Engine, startHttp2Engine } from "../../support/http2-engine.ts";
import { FrameClient, frame, number, request } from "../../support/http2-frames.ts";

const respond: Handler = (_request, respond) => {
  respond(200, {}, "ok");
};
const GOAWAY = frame(7, 0, 0, Buffer.concat([number(0), number(0)]));
const PING_ACK = frame(6, 1, 0, Buffer.alloc(8));
/** The default timeouts make a tick of a second, which is when deadlines are looked at. */
const LESS_THAN_A_TICK_MS = 700;
const LINGER_MS = 150;

/** A client whose session is idle after an answer. */
async function answered(engine: Http2Engine): Promise<FrameClient> {
  const client = new FrameClient(await engine.connect());
  client.socket.on("end", () => client.socket.end());
  client.send(frame(4, 1, 0), request(1));
  await client.frame(FrameType.data, 1);
  return client;
}

async function took(work: Promise<unknown>): Promise<number> {
  const since = performance.now();
  await work;
  return performance.now() - since;
}

const kinds = (client: FrameClient, from: number): number[] =>
  client.frames.slice(from).map(({ type }) => type);

describe("a drain", () => {
  test("answers what comes on an idle session until the linger is over, and ends then", async (context) => {
    const engine = await startHttp2Engine(context, respond);
    const client = await answered(engine);
    const before = client.frames.length;
    const drained = took(engine.server.drain(LINGER_MS));
    await client.frame(FrameType.goaway);
    client.send(request(3));
    await client.frame(FrameType.data, 3);
    const milliseconds = await drained;
    assert.ok(milliseconds >= LINGER_MS && milliseconds < LESS_THAN_A_TICK_MS, `${milliseconds} ms`);
    await client.until(() => client.ended, "the end");
    const { goaway, headers, data } = FrameType;
    assert.deepEqual(kinds(client, before), [goaway, headers, data, goaway]);
  });

  test("without a linger ends when the client has answered the PING behind GOAWAY", async (context) => {
    const engine = await startHttp2Engine(context, respond);
    const client = await answered(engine);
    const before = client.frames.length;
    const drained = took(engine.server.drain(0));
    await client.frame(FrameType.ping);
    // Sent before the client saw the GOAWAY.
    client.send(request(3), PING_ACK);
    await client.frame(FrameType.data, 3);
    await client.until(() => client.ended, "the end");
    const milliseconds = await drained;
    assert.ok(milliseconds < LESS_THAN_A_TICK_MS, `${milliseconds} ms`);
    assert.deepEqual(kinds(client, before).slice(0, 2), [FrameType.goaway, FrameType.ping]);
  });

  test("ends with the client's GOAWAY, whenever that comes", async (context) => {
    for (const seen of [undefined, FrameType.goaway, FrameType.ping]) {
      const engine = await startHttp2Engine(context, respond);
      const client = await answered(engine);
      const drained = took(engine.server.drain(0));
      if (seen !== undefined) await client.frame(seen);
      client.send(GOAWAY);
      const milliseconds = await drained;
      assert.ok(milliseconds < LESS_THAN_A_TICK_MS, `after frame ${seen}: ${milliseconds} ms`);
    }
  });

  test("closes a session that comes while it goes on, behind the SETTINGS of the server", async (context) => {
    const engine = await startHttp2Engine(context, respond);
    const late = await engine.connect();
    late.on("end", () => late.end());
    // It has been accepted once a later connection has its answer.
    await answered(engine);
    const drained = took(engine.server.drain(LINGER_MS));
    const client = new FrameClient(late);
    client.send(frame(4, 1, 0), request(1));
    await client.frame(FrameType.data, 1);
    const milliseconds = await drained;
    assert.ok(milliseconds >= LINGER_MS && milliseconds < LESS_THAN_A_TICK_MS, `${milliseconds} ms`);
    await client.until(() => client.ended, "the end");
    assert.deepEqual(
      [client.frames[0]?.type, client.frames.at(-1)?.type],
      [FrameType.settings, FrameType.goaway],
    );
  });

  test("of HTTP/1.1 ends on time too", async (context) => {
    const engine = await startEngine(context, respond);
    const client = await engine.connect();
    client.socket.on("end", () => client.socket.end());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.until((text) => text.endsWith("ok"));
    const milliseconds = await took(engine.server.drain(LINGER_MS));
    assert.ok(milliseconds >= LINGER_MS && milliseconds < LESS_THAN_A_TICK_MS, `${milliseconds} ms`);
  });
});

test("a client that says GOAWAY and keeps its connection loses it", async (context) => {
  const engine = await startHttp2Engine(context, respond);
  const client = await answered(engine);
  client.send(GOAWAY);
  const milliseconds = await took(client.until(() => client.ended, "the end"));
  assert.ok(milliseconds < LESS_THAN_A_TICK_MS, `${milliseconds} ms`);
});
