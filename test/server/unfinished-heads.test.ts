/** The memory of incomplete heads is limited, and ordinary clients are not refused for it. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { MAX_HEADS_BYTES, UnfinishedHeads } from "../../src/server/unfinished-heads.ts";
import { until } from "../support/command.ts";
import type { RawClient } from "../support/engine.ts";
import { startEngine } from "../support/engine.ts";
import { type ServerOwner, startNodeEngine } from "../support/node-engine.ts";

describe("UnfinishedHeads", () => {
  function heads(most: number): { heads: UnfinishedHeads<string>; refused: string[] } {
    const refused: string[] = [];
    const refuse = (name: string): void => void refused.push(name);
    return { heads: new UnfinishedHeads<string>(refuse, most), refused };
  }

  test("refuses the oldest of the large heads until the rest fit", () => {
    const { heads: unfinished, refused } = heads(100);
    unfinished.hold("small and old", 5);
    for (const name of ["a", "b", "c"]) unfinished.hold(name, 30);
    assert.deepEqual(refused, []);
    unfinished.hold("d", 50);
    // 145 bytes in five heads, then 115 in four: the average is 29, and less after that.
    assert.deepEqual(refused, ["a", "b"]);
    assert.equal(unfinished.heldBytes, 85);
  });

  test("counts a growing head once, and a released one not at all", () => {
    const { heads: unfinished, refused } = heads(100);
    for (let size = 10; size <= 90; size += 10) unfinished.hold("growing", size);
    assert.equal(unfinished.heldBytes, 90);
    unfinished.release("growing");
    unfinished.release("growing");
    assert.equal(unfinished.heldBytes, 0);
    assert.deepEqual(refused, []);
  });

  test("refuses a single head that is too large", () => {
    const { heads: unfinished, refused } = heads(100);
    unfinished.hold("huge", 101);
    assert.deepEqual(refused, ["huge"]);
    assert.equal(unfinished.heldBytes, 0);
  });
});

interface Server {
  connect(): Promise<RawClient>;
}

type Start = (test: TestContext, onHeadRefused: () => void) => Promise<Server>;

const nodeServer =
  (owner: ServerOwner): Start =>
  async (test, onHeadRefused) => {
    const { client } = await startNodeEngine(test, (_request, response) => void response.end("hello"), {
      onHeadRefused,
      owner,
    });
    return { connect: client };
  };

const SERVERS: Record<string, Start> = {
  "the gateway engine": (test, onHeadRefused) =>
    startEngine(test, (_request, respond) => void respond(200, {}, "hello"), { onHeadRefused }),
  "node's own server": nodeServer("ours"),
  "a server of the app": nodeServer("the app's"),
};

/** A head as large as its limits allow, without its end. */
const LARGE = `GET / HTTP/1.1\r\nHost: a.example\r\n${"X: ".concat("a".repeat(8100), "\r\n").repeat(97)}`;

for (const [name, start] of Object.entries(SERVERS)) {
  test(`${name} refuses large heads that never end, and serves a client with a slow head`, async (t) => {
    let reports = 0;
    const { connect } = await start(t, () => {
      reports += 1;
    });
    const slow = await connect();
    slow.send("GET / HTTP/1.1\r\nHost: a.ex");
    const many = Math.ceil((2 * MAX_HEADS_BYTES) / LARGE.length);
    const clients = await Promise.all(Array.from({ length: many }, connect));
    for (const client of clients) {
      client.send(LARGE);
      await new Promise(setImmediate);
    }
    const refused = (): number => clients.filter(({ received }) => / 503 /.test(received)).length;
    await until("half of them are refused", () => refused() >= many / 2 - 1);
    assert.ok(reports >= refused(), "each refusal is reported");
    slow.send("ample\r\n\r\n");
    await slow.until((received) => received.includes("hello"), "the answer");
    for (const client of clients) client.socket.destroy();
  });
}
