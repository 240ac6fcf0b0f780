/** Nothing ends while node:http2 reads frames: what it sends then would free the stream whose head it reads. */
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  createServer as createHttp2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { connect, createServer, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { FrameType } from "../../../src/server/http2/frame-walker.ts";
import { guardStream, takeSession } from "../../../src/server/http2/node-session.ts";
import { WatchedStream } from "../../../src/server/http2/watched-stream.ts";
import { startHttp2Engine } from "../../support/http2-engine.ts";
import { FrameClient, frame, number, POST, request } from "../../support/http2-frames.ts";
import { testUnderOtherNodes } from "../../support/other-nodes.ts";

const GOAWAY = frame(FrameType.goaway, 0, 0, Buffer.concat([number(0), number(0)]));
const PING_ACK = frame(FrameType.ping, 1, 0, Buffer.alloc(8));

const answered = (client: FrameClient): number[] =>
  client.frames.flatMap(({ type, streamId }) => (type === FrameType.headers ? [streamId] : []));
const resets = (client: FrameClient): number[] =>
  client.frames.flatMap(({ type, value }) => (type === FrameType.reset ? [value] : []));

interface Pair {
  readonly session: ServerHttp2Session;
  /** The server's side of the connection. */
  readonly socket: Socket;
  readonly stream: WatchedStream;
  readonly client: FrameClient;
}

/** A session of node:http2 on a stream that is watched, and its client. */
async function startPair(context: TestContext): Promise<Pair> {
  const listener = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as { port: number };
  const accepted = once(listener, "connection");
  const client = new FrameClient(connect({ port, host: "127.0.0.1", allowHalfOpen: true }));
  const [socket] = (await accepted) as [Socket];
  context.after(() => {
    client.socket.destroy();
    socket.destroy();
    listener.close();
  });
  const stream = new WatchedStream(socket, {
    onReceived: () => true,
    onSent: () => {
      stream.emit("sent");
      return undefined;
    },
    lastWords: () => undefined,
    onLingering: () => {},
  });
  return { session: takeSession(createHttp2Server(), stream), socket, stream, client };
}

describe("a session does not end while it reads", () => {
  for (const [what, first] of [
    ["behind the GOAWAY of a client", [GOAWAY]],
    ["behind a request and the GOAWAY of a client", [request(1), GOAWAY]],
  ] as const)
    test(`requests in the same packet are answered: ${what}`, async (context) => {
      const engine = await startHttp2Engine(context, (_request, respond) => respond(200, {}, "ok"));
      const client = new FrameClient(await engine.connect());
      context.after(() => client.socket.destroy());
      client.send(...first, request(3), request(5));
      await client.frame(FrameType.data, 5);
      await client.until(() => client.ended, "the end");
      assert.deepEqual(answered(client).slice(-2), [3, 5]);
      assert.deepEqual(resets(client), []);
    });

  test("a request in the packet of the acknowledgement that a close waits for is answered", async (context) => {
    const engine = await startHttp2Engine(context, (_request, respond) =>
      respond(200, { connection: "close" }, "ok"),
    );
    const client = new FrameClient(await engine.connect());
    context.after(() => client.socket.destroy());
    client.send(request(1));
    await client.frame(FrameType.ping);
    client.send(PING_ACK, request(3), request(5));
    await client.until(() => client.ended, "the end");
    assert.deepEqual(answered(client), [1, 3, 5]);
    assert.deepEqual(resets(client), []);
  });
});

test("what arrives between the close of a session and its GOAWAY is read behind that", async (context) => {
  const { session, socket, stream: connection, client } = await startPair(context);
  session.on("stream", (stream: ServerHttp2Stream) => stream.respond({ ":status": 200 }));
  client.send(request(1));
  await client.frame(FrameType.headers, 1);
  // Until it reads again behind its writes.
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
  const seen: string[] = [];
  for (const event of ["data", "sent"]) connection.prependListener(event, () => seen.push(event));
  session.close();
  socket.emit("data", Buffer.concat([request(3), request(5)]));
  await client.frame(FrameType.goaway);
  client.send(request(7), frame(FrameType.ping, 0, 0, Buffer.alloc(8)));
  await client.frame(FrameType.ping);
  assert.deepEqual(seen.slice(0, 2), ["sent", "data"]);
  assert.deepEqual([answered(client), resets(client)], [[1], []]);
});

describe("a stream is not reset while its session reads", () => {
  for (const [what, end] of [
    ["closed", (stream: ServerHttp2Stream) => stream.close(2)],
    ["destroyed", (stream: ServerHttp2Stream) => stream.destroy(new Error("no more"))],
  ] as const)
    test(`${what} at content`, async (context) => {
      const { session, stream: connection, client } = await startPair(context);
      const isClosed: boolean[] = [];
      session.on("stream", (stream: ServerHttp2Stream) => {
        guardStream(stream, connection);
        stream.on("error", () => {});
        stream.respond({ ":status": 200 });
        stream.on("data", () => {
          end(stream);
          isClosed.push(stream.closed);
        });
      });
      client.send(request(1, POST, 4));
      await client.frame(FrameType.headers, 1);
      client.send(frame(FrameType.data, 0, 1, [97]));
      await client.frame(FrameType.reset, 1);
      assert.deepEqual([isClosed, resets(client)], [[false], [2]]);
    });
});

testUnderOtherNodes(import.meta.url);
