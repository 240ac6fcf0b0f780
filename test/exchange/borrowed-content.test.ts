/** Content that arrives at once is converted in place, in the server's read buffer, which the next read overwrites. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyError } from "../../src/errors.ts";
import { MessageBody } from "../../src/exchange/message-body.ts";

const TEXT = '{"name":"Grüße ≠","n":1}';
const CONTENT = Buffer.from(TEXT);

/** Feeds pieces as the engine does: each is overwritten as soon as it has been taken. */
function feed(body: MessageBody, pieces: readonly Uint8Array[]): void {
  for (const piece of pieces) {
    const read = Buffer.from(piece);
    body.pushBorrowed(read);
    read.fill("!");
  }
  body.end();
}

function bodyOf(length: number | undefined, limit?: number): MessageBody {
  return new MessageBody(length, { start: () => {}, pause: () => {}, resume: () => {} }, limit);
}

const SPLITS = {
  "at once": [CONTENT],
  "in two pieces": [CONTENT.subarray(0, 12), CONTENT.subarray(12)],
  "byte by byte": [...CONTENT].map((byte) => Uint8Array.of(byte)),
};

const READERS: { readonly [name: string]: (body: MessageBody) => Promise<unknown> } = {
  bytes: async (body) => Buffer.from(await body.bytes()).toString(),
  text: (body) => body.text(),
  json: async (body) => JSON.stringify(await body.json()),
  iterator: async (body) => {
    const pieces: Uint8Array[] = [];
    for await (const piece of { [Symbol.asyncIterator]: () => body[Symbol.asyncIterator]() })
      pieces.push(piece);
    return Buffer.concat(pieces).toString();
  },
};

for (const [split, pieces] of Object.entries(SPLITS)) {
  for (const [name, read] of Object.entries(READERS)) {
    for (const length of [CONTENT.length, undefined]) {
      test(`${name} of content that comes ${split}, length ${length}`, async () => {
        const early = bodyOf(length);
        const reading = read(early);
        feed(early, pieces);
        assert.equal(await reading, TEXT);
        const late = bodyOf(length);
        feed(late, pieces);
        assert.equal(await read(late), TEXT, "read when all had arrived");
      });
    }
  }
}

test("content at once that is no JSON, or too large, rejects like any other", async () => {
  const broken = bodyOf(1);
  const reading = broken.json();
  feed(broken, [Buffer.from("{")]);
  await assert.rejects(reading, (error: BodyError) => error instanceof BodyError && error.status === 400);
  const large = bodyOf(CONTENT.length, 4);
  await assert.rejects(large.bytes(), (error: BodyError) => error.status === 413);
  const unknown = bodyOf(undefined, 4);
  const late = unknown.text();
  feed(unknown, [CONTENT]);
  await assert.rejects(late, (error: BodyError) => error.status === 413);
});

test("empty content, and a byte order mark", async () => {
  const empty = bodyOf(undefined);
  const reading = empty.bytes();
  feed(empty, []);
  assert.equal((await reading).length, 0);
  const marked = bodyOf(6);
  const text = marked.text();
  feed(marked, [Buffer.from("\ufeffabc")]);
  assert.equal(await text, "abc");
});
