/** The number of writes for a response, and when its pieces are sent. */
import assert from "node:assert/strict";
import { Socket } from "node:net";
import { mock, type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Handler, ResponseBody } from "../../../src/gateway/types.ts";
import { HandleChannel } from "../../../src/server/channel/handle-channel.ts";
import { SocketChannel } from "../../../src/server/channel/socket-channel.ts";
import { Output } from "../../../src/server/engine/output.ts";
import { startEngine } from "../../support/engine.ts";

/** Counts what channels of both kinds write, each time with its text. */
function channelWrites(): { texts: string[]; restore(): void } {
  const texts: string[] = [];
  const mocks = [HandleChannel.prototype, SocketChannel.prototype].flatMap((channel) => {
    const { writeText, writeAround } = channel;
    return [
      mock.method(channel, "writeText", function (this: HandleChannel & SocketChannel, text: string) {
        texts.push(text);
        writeText.call(this, text);
      }),
      mock.method(
        channel,
        "writeAround",
        function (this: HandleChannel & SocketChannel, ...pieces: Parameters<typeof writeAround>) {
          texts.push(pieces.join(""));
          writeAround.apply(this, pieces);
        },
      ),
    ];
  });
  return {
    texts,
    restore: () => {
      for (const { mock } of mocks) mock.restore();
    },
  };
}

/** Requests `handler` once; returns the chunks received as one text, and the number of writes of the server. */
async function writesOf(test: TestContext, handler: Handler): Promise<{ text: string; writes: number }> {
  const engine = await startEngine(test, handler);
  const client = await engine.connect();
  const writes = channelWrites();
  try {
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const text = await client.until((received) => received.endsWith("\r\n0\r\n\r\n"));
    return { text, writes: writes.texts.length };
  } finally {
    writes.restore();
  }
}

const HUNDRED = Array.from({ length: 100 }, (_, index) => `piece ${index}`);

const SOURCES: { readonly [what: string]: () => ResponseBody } = {
  "an async generator": async function* () {
    yield* HUNDRED;
  },
  "a generator": function* () {
    yield* HUNDRED;
  },
  "a generator of bytes": function* () {
    for (const piece of HUNDRED) yield Buffer.from(piece);
  },
  "text that is not ASCII": async function* () {
    for (const piece of HUNDRED) yield `${piece} ü`;
  },
};

for (const [what, source] of Object.entries(SOURCES)) {
  test(`a hundred small pieces take a few writes: ${what}`, async (context) => {
    const { text, writes } = await writesOf(context, (_request, respond) => respond(200, null, source()));
    assert.ok(text.includes("\r\n7\r\npiece 1\r\n") || text.includes("piece 1 \xc3\xbc"), text);
    assert.ok(text.includes("piece 99"));
    assert.ok(writes <= 3, `${writes} writes`);
  });
}

test("each response of a kept connection takes as few writes as the first", async (context) => {
  const engine = await startEngine(context, (_request, respond) => respond(200, null, HUNDRED));
  const client = await engine.connect();
  const writes = channelWrites();
  try {
    for (let sent = 0; sent < 10; sent += 1) {
      client.received = "";
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await client.until((received) => received.endsWith("\r\n0\r\n\r\n"));
    }
    assert.equal(writes.texts.length, 10);
  } finally {
    writes.restore();
  }
});

/** A socket that keeps what is written, and its channel. */
function fakeSocket(): { socket: Socket; channel: SocketChannel; written: string[] } {
  const written: string[] = [];
  const socket = new Socket();
  mock.method(socket, "write", (chunk: string | Uint8Array, encoding?: BufferEncoding) => {
    written.push(
      typeof chunk === "string" ? Buffer.from(chunk, encoding).toString() : Buffer.from(chunk).toString(),
    );
    return true;
  });
  return { socket, channel: SocketChannel.over(socket), written };
}

test("pieces wait for the end of the operation, and no longer", async () => {
  const { channel, written } = fakeSocket();
  const output = new Output(channel, { body: 1000, responseMinRate: 0 });
  output.writeHead("head ");
  output.writePiece("one ");
  output.writePiece(Buffer.from("zwölf "));
  assert.deepEqual([written, output.pending], [[], true]);
  await new Promise((resolve) => process.nextTick(resolve));
  assert.deepEqual([written, output.pending], [["head one zwölf "], false]);
  output.writePiece("two");
  await nextTurn();
  assert.deepEqual(written, ["head one zwölf ", "two"]);
});

test("what is flushed is sent at once, also while input is read", async () => {
  const { channel, written } = fakeSocket();
  const output = new Output(channel, { body: 1000, responseMinRate: 0 });
  output.gather();
  output.writeHead("head ");
  output.sendNow();
  output.writePiece("one");
  await nextTurn();
  assert.deepEqual(written, ["head "]);
  output.flush();
  assert.deepEqual(written, ["head ", "one"]);
});

test("pieces keep their order whatever their size, and many do not pile up", async () => {
  const { channel, written } = fakeSocket();
  const output = new Output(channel, { body: 1000, responseMinRate: 0 });
  const large = "x".repeat(10_000);
  const pieces = ["a", large, Buffer.from(large), "b", "ü".repeat(5000), "c"];
  for (const piece of pieces) output.writePiece(piece);
  for (const piece of pieces) output.writeChunk(piece);
  await nextTurn();
  const chunk = (piece: string | Uint8Array) => `${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n`;
  assert.equal(written.join(""), pieces.join("") + pieces.map(chunk).join(""));
  written.length = 0;
  for (let count = 0; count < 1000; count += 1) output.writePiece("ten bytes ");
  assert.ok(written.join("").length >= 4096, "sent early");
  assert.ok(output.endPiece(), "others get a turn");
});

test("nothing is written to a socket that has been destroyed", async () => {
  const { channel, written } = fakeSocket();
  const output = new Output(channel, { body: 1000, responseMinRate: 0 });
  output.writePiece("late");
  channel.destroy();
  await nextTurn();
  assert.deepEqual([written, output.pending], [[], false]);
});

test("a writer's flush sends the head while the handler is still busy", async (context) => {
  const written: string[] = [];
  const engine = await startEngine(context, (_request, respond) => {
    const writer = respond(200, { "x-a": "1" });
    const writes = channelWrites();
    writer.flush();
    written.push(...writes.texts);
    writes.restore();
    writer.end("done");
  });
  const client = await engine.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.match(await client.until((received) => received.endsWith("\r\n0\r\n\r\n")), /4\r\ndone\r\n/);
  assert.match(written.join(""), /^HTTP\/1\.1 200 OK\r\nx-a: 1\r\n/);
});
