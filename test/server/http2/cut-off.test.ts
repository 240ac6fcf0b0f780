/** Content that its client has not ended is never whole to an app, and a session with an error is closed. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startHttp2Engine } from "../../support/http2-engine.ts";
import { FrameClient, field, frame, request, reset, settings } from "../../support/http2-frames.ts";

const HEADS = { POST: [0x83], HEAD: field(":method", "HEAD") };
const REST = Buffer.from([0x84, 0x86, 0x41, 1, 0x61]);

/** The ways in which a client goes on behind a part of its content. */
const ENDS: { readonly [what: string]: (client: FrameClient) => unknown } = {
  "resets the stream with NO_ERROR": (client) => client.send(reset(1, 0)),
  "resets the stream with CANCEL": (client) => client.send(reset(1, 8)),
  "breaks the protocol": (client) => client.send(frame(0, 0, 5, [1])),
  "breaks the protocol, and then ends the content": (client) =>
    client.send(frame(0, 0, 5, [1]), frame(0, 1, 1, [1])),
  "sends a frame that is too large": (client) => client.send(frame(0xbb, 0, 0, Buffer.alloc(16_385))),
  "closes the connection": (client) => client.socket.destroy(),
  "closes its side": (client) => client.socket.end(),
};

describe("an app that reads to the end gets an error if the client", () => {
  for (const [what, end] of Object.entries(ENDS)) {
    for (const [method, head] of Object.entries(HEADS)) {
      test(`${what}: ${method}`, async (context) => {
        let begun = (): void => {};
        const hasBegun = new Promise<void>((resolve) => {
          begun = resolve;
        });
        let settled = (_result: unknown): void => {};
        const result = new Promise<unknown>((resolve) => {
          settled = resolve;
        });
        const engine = await startHttp2Engine(context, async (request, respond) => {
          begun();
          settled(await request.body.bytes().catch((error: Error) => error));
          respond(200, {}, "late");
        });
        const client = new FrameClient(await engine.connect());
        context.after(() => client.socket.destroy());
        client.send(request(1, Buffer.concat([Buffer.from(head), REST]), 4), frame(0, 0, 1, [97]));
        await hasBegun;
        end(client);
        assert.ok((await result) instanceof Error, `${await result}`);
      });
    }
  }
});

describe("the connection is closed behind a GOAWAY with an error", () => {
  const ERRORS: { readonly [what: string]: Uint8Array } = {
    "a frame that is too large": frame(0xbb, 0, 0, Buffer.alloc(16_385)),
    "a frame of a stream that has not begun": frame(0, 0, 5, [1]),
    "a header block that is none": request(3, Buffer.from([0x80])),
    "a setting that is out of range": settings([5, 1]),
    "a PING of seven octets": frame(6, 0, 0, Buffer.alloc(7)),
  };
  for (const [what, bytes] of Object.entries(ERRORS))
    test(what, async (context) => {
      const engine = await startHttp2Engine(context, (_request, respond) => respond(200, {}, "ok"));
      const client = new FrameClient(await engine.connect());
      context.after(() => client.socket.destroy());
      client.send(request(1));
      await client.frame(1, 1);
      client.send(bytes);
      await client.until(() => client.ended, "the end");
      assert.notEqual(client.goaway, undefined);
    });
});
