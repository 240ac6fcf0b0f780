/** The end of a session with open streams: what a client has of a response must not look like the whole. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect } from "node:http2";
import type { Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { FrameType } from "../../../src/server/http2/frame-walker.ts";
import type { WorkerServer } from "../../../src/server/server.ts";
import { DEFAULT_TIMEOUTS } from "../../../src/server/server-options.ts";
import { startHttp2Engine } from "../../support/http2-engine.ts";
import { FrameClient, field, frame, GET, request } from "../../support/http2-frames.ts";
import { startHttp2Listener } from "../../support/http2-listener.ts";

const INTERNAL_ERROR = 2;
const PART = "a part of it";

interface Served {
  readonly server: WorkerServer;
  connect(): Promise<Socket>;
}

/** Apps that send a part of a response, and no more. */
const STARTS: {
  readonly [kind: string]: (context: TestContext, header?: number) => Promise<Served>;
} = {
  "a gateway app": async (context, header = DEFAULT_TIMEOUTS.header) =>
    await startHttp2Engine(
      context,
      async (_request, respond) => {
        const writer = respond(200);
        await writer.write(PART);
        await writer.flush();
        await new Promise(() => {});
      },
      { timeouts: { ...DEFAULT_TIMEOUTS, header } },
    ),
  "a node listener": async (context, header = DEFAULT_TIMEOUTS.header) =>
    await startHttp2Listener(context, (_request: never, response: ServerResponse) => response.write(PART), {
      timeouts: { ...DEFAULT_TIMEOUTS, header },
    }),
};

for (const [kind, start] of Object.entries(STARTS))
  describe(`of ${kind}`, () => {
    test("a worker that is forced to end says so", async (context) => {
      const { server, connect: open } = await start(context);
      const client = new FrameClient(await open());
      client.send(request(1));
      await client.frame(FrameType.data, 1);
      server.destroy();
      await client.until(() => client.ended, "the end");
      assert.equal(client.goaway, INTERNAL_ERROR);
    });

    test("a session whose client leaves a head unfinished says so", async (context) => {
      const { connect: open } = await start(context, 300);
      const client = new FrameClient(await open());
      client.send(request(1));
      await client.frame(FrameType.data, 1);
      // Without END_HEADERS.
      client.send(frame(1, 1, 3, Buffer.concat([GET, field("x", "y")])));
      await client.until(() => client.ended, "the end");
      assert.equal(client.goaway, INTERNAL_ERROR);
    });

    // Behind a GOAWAY of no error it takes a reset for the end of the response.
    test("node's client gets an error, also if the worker drained before", {
      timeout: 20_000,
    }, async (context) => {
      const { server, connect: open } = await start(context);
      const socket = await open();
      const session = connect("http://a", { createConnection: () => socket });
      session.on("error", () => {});
      const stream = session.request({ ":path": "/" });
      let code: string | undefined;
      stream.on("error", (error: NodeJS.ErrnoException) => {
        code = error.code;
      });
      await once(stream, "data");
      const drained = once(session, "goaway");
      server.drain(5000).catch(() => {});
      await drained;
      const closed = new Promise((resolve) => stream.once("close", resolve));
      server.destroy();
      await closed;
      assert.equal(code, "ERR_HTTP2_SESSION_ERROR");
    });

    test("an idle session ends without an error", async (context) => {
      const { server, connect: open } = await start(context);
      const client = new FrameClient(await open());
      await client.frame(FrameType.settings);
      server.destroy();
      await client.until(() => client.ended, "the end");
      assert.equal(client.goaway, undefined);
    });
  });
