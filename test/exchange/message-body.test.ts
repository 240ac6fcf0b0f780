/** Content that waits for its reader is kept in few pieces, and unchanged. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { MessageBody } from "../../src/exchange/message-body.ts";

const source = { start: () => {}, pause: () => {}, resume: () => {} };

test("small chunks are joined while they wait", async () => {
  const body = new MessageBody(undefined, source);
  const sent: Buffer[] = [];
  const send = (size: number): void => {
    const chunk = Buffer.from(Array.from({ length: size }, (_, at) => (sent.length * 7 + at) & 255));
    sent.push(chunk);
    body.push(Buffer.from(chunk));
  };
  const iterator = body[Symbol.asyncIterator]();
  const pieces: Uint8Array[] = [];
  for (let index = 0; index < 20_000; index += 1) send(1);
  const first = (await iterator.next()).value as Uint8Array;
  pieces.push(first);
  const copy = Buffer.from(first);
  for (const size of [3, 5000, 2, 70_000, 1, 1, 1023, 1024, 1]) send(size);
  body.end();
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
    pieces.push(next.value);
  assert.ok(Buffer.concat(pieces).equals(Buffer.concat(sent)), "the bytes are not what was sent");
  assert.ok(pieces.length < 30, `${pieces.length} pieces`);
  assert.ok(copy.equals(first), "a piece changed when it had been handed out");
});

test("bytes() holds a body that arrives byte by byte in few pieces", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const heap = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const body = new MessageBody(undefined, source);
  const read = body.bytes();
  const before = heap();
  const size = 200_000;
  for (let index = 0; index < size; index += 1) {
    body.push(Buffer.from([index % 251]));
    // The reader reads each piece before the next arrives, as with a slow client.
    await new Promise((resolve) => process.nextTick(resolve));
  }
  const held = heap() - before;
  body.end();
  const bytes = await read;
  assert.equal(bytes.length, size);
  assert.ok(bytes.every((byte, index) => byte === index % 251));
  assert.ok(held < size * 20, `${Math.round(held / size)} bytes are held for each byte`);
});
