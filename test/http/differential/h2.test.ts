/** The first cases of `npm run fuzz -- --subject h2`: a server of HTTP/2 against the reference reader of its frames. */
import assert from "node:assert/strict";
import { connect, constants } from "node:http2";
import { test } from "node:test";
import { startHttp2Engine } from "../../support/http2-engine.ts";
import { Random } from "../../support/random.ts";
import { BlockWriter } from "./h2/block-writer.ts";
import { type Field, FieldDecoder } from "./h2/hpack.ts";
import { huffmanBytes, huffmanText } from "./h2/huffman.ts";
import { openSubject } from "./subjects.ts";

const SEED = 9113;
const CASES = 300;
/** Endings that some of the cases must have, or they would test only one thing. */
const ENDINGS = ["all served", "served", "refusals", "ends 1", "ends 9", "field dropped"];

test(`an app of HTTP/2 sees what is in ${CASES} generated sessions, and its clients are answered`, async (t) => {
  const subject = await openSubject("h2");
  t.after(() => subject.close());
  const endings = new Map<string, number>();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < CASES) {
      const number = next;
      next += 1;
      const item = subject.generate(SEED, number);
      try {
        const ending = await subject.check(item);
        endings.set(ending, (endings.get(ending) ?? 0) + 1);
      } catch (error) {
        next = CASES;
        throw new Error(`seed ${SEED}, case ${number}: ${JSON.stringify(item.text)}\n${error}`, {
          cause: error,
        });
      }
    }
  };
  await Promise.all(Array.from({ length: subject.lanes }, lane));
  t.diagnostic([...endings].map(([ending, count]) => `${ending} ${count}`).join(", "));
  for (const ending of ENDINGS) assert.ok(endings.has(ending), `no case ended with ${ending}`);
});

test("the decoder of the reference reads back what the writer makes, and the code of RFC 7541 appendix C.4.1", () => {
  const random = new Random(SEED);
  const writer = new BlockWriter(random, () => false);
  const decoder = new FieldDecoder();
  for (let round = 0; round < 200; round += 1) {
    const fields: Field[] = Array.from({ length: random.below(6) }, () => [
      random.pick([":path", "x-a", "cookie", "x-long"]),
      random.pick(["", "a", "/b", "v".repeat(random.below(300)), "\xe9\0\xff"]),
    ]);
    assert.deepEqual(decoder.decode(writer.block(fields)), fields);
  }
  const code = Buffer.from("f1e3c2e5f23a6ba0ab90f4ff", "hex");
  assert.deepEqual(huffmanBytes("www.example.com"), code);
  assert.equal(huffmanText(code), "www.example.com");
});

test("the session of a client that keeps to the protocol goes on beside the refusals", async (context) => {
  const engine = await startHttp2Engine(context, (_request, respond) => respond(200, {}, "ok"));
  const session = connect(`http://127.0.0.1:${engine.port}`);
  context.after(() => session.destroy());
  const statusOf = (path: string): Promise<unknown> =>
    new Promise((resolve) => {
      const stream = session.request({ ":path": path });
      stream.on("response", (headers) => resolve(headers[constants.HTTP2_HEADER_STATUS]));
      stream.on("error", resolve).resume().end();
    });
  assert.deepEqual([await statusOf("/a#b"), await statusOf("/a")], [400, 200]);
});
