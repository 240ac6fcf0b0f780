/** The client of HTTP/2: an answer that its session ended early is lost, and never wrong or right. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { until } from "../support/command.ts";
import { mirrored } from "../support/exchanges.ts";
import { frame, number } from "../support/http2-frames.ts";
import type { Loss } from "./attribution.ts";
import { Streams } from "./streams.ts";

const HEAD = frame(1, 4, 1, [0x88]);
const PART = frame(0, 0, 1, Buffer.alloc(3));
/** The first one of a drain: all streams may go on. */
const GOAWAY = frame(7, 0, 0, Buffer.concat([number(2 ** 31 - 1), number(0)]));
const PING = frame(6, 0, 0, Buffer.alloc(8, 7));
const PING_ACK = frame(6, 1, 0, Buffer.alloc(8, 7));

// Node's client ends such a stream with the code of no error.
test("a part of an answer, behind which the connection is reset after a GOAWAY, is lost", async (context) => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.write(frame(4, 0, 0));
    let received = Buffer.alloc(0);
    socket.on("data", (bytes) => {
      if (received.length === 0) socket.write(Buffer.concat([GOAWAY, HEAD, PART, PING]));
      received = Buffer.concat([received, bytes]);
      // It has read all of that.
      if (received.includes(PING_ACK)) socket.resetAndDestroy();
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  context.after(() => server.close());
  const losses: Loss[] = [];
  const wrong: string[] = [];
  const make = mirrored({ methods: ["GET"] });
  const streams = new Streams(
    { port: (server.address() as AddressInfo).port },
    (count) => make(count, "keep-alive"),
    {
      answered: () => assert.fail("an answer"),
      lost: (loss) => void losses.push(loss),
      wrong: (text) => void wrong.push(text),
    },
  );
  await until("the part is lost", () => losses.some(({ text }) => /bytes/.test(text)));
  server.close();
  await streams.stop();
  assert.deepEqual(wrong, []);
});
