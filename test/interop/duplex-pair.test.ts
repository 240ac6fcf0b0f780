/** Two joined streams: bytes, ends, backpressure, and what happens when one breaks. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { duplexPair } from "../../src/interop/duplex-pair.ts";

async function textOf(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test("each side reads what the other writes, and ends independently", async () => {
  const [left, right] = duplexPair();
  left.end("from the left");
  const received: Buffer[] = [];
  right.on("data", (chunk: Buffer) => received.push(chunk));
  await once(right, "end");
  assert.equal(Buffer.concat(received).toString(), "from the left");
  right.end("from the right");
  assert.equal(await textOf(left), "from the right");
});

test("a write waits until the other side reads", async () => {
  const [left, right] = duplexPair();
  let room = 0;
  const chunk = Buffer.alloc(65536);
  for (let count = 0; count < 10; count += 1) left.write(chunk, () => (room += 1));
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(room < 5, `${room} writes had room`);
  right.resume();
  left.end();
  await once(right, "end");
  assert.equal(room, 10);
});

test("destroying a side destroys the other one, even after its writing has ended", async () => {
  for (const ended of [false, true]) {
    const [left, right] = duplexPair();
    if (ended) {
      left.end();
      right.resume();
      await once(right, "end");
    }
    left.destroy();
    await once(right, "close");
    assert.ok(right.destroyed);
  }
});

test("destroying a side that has sent and read everything does not destroy the other one", async () => {
  const [left, right] = duplexPair();
  left.end("a");
  right.end("b");
  assert.equal(await textOf(left), "b");
  left.destroy();
  assert.equal(await textOf(right), "a");
});
