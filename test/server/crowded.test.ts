/** A worker whose places are taken by clients that do nothing, through the built command: others are answered all the same. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { cleanUp, FIXTURES, startCommand, until } from "../support/command.ts";
import { RawClient } from "../support/engine.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HEAD_BEGUN = "GET / HTTP/1.1\r\nHost: a";
const PLACES = 32;

const KINDS = [
  { app: "gateway.mjs:handler", interface: "gateway" },
  { app: "listener.mjs:handler", interface: "node" },
  { app: "server.mjs", interface: "server" },
];

/** Starts one worker with few places. Returns its port, its log and a way to connect, accepted or not. */
async function serve(context: TestContext, kind: (typeof KINDS)[number]) {
  const words = [kind.app, "--interface", kind.interface, "-b", "127.0.0.1:0"];
  const command = startCommand(context, [...words, "--worker-connections", `${PLACES}`, "-w", "1"], {
    cwd: join(FIXTURES, "slow"),
  });
  await command.ready();
  const port = await command.port();
  const client = async (text: string): Promise<RawClient> => {
    const socket = connect(port, "127.0.0.1");
    cleanUp(context, () => socket.destroy());
    await once(socket, "connect");
    const raw = new RawClient(socket);
    if (text !== "") raw.send(text);
    return raw;
  };
  return { command, client };
}

const hello = (client: RawClient): Promise<unknown> =>
  client.until((received) => received.includes("hello"), "the answer");

describe("clients that do nothing", { concurrency: true }, () => {
  for (const kind of KINDS) {
    test(`${kind.interface}: silent clients and slow heads make room for others; one with a request in progress never does`, async (context) => {
      const { command, client } = await serve(context, kind);
      const working = await client("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
      const slow = await Promise.all(
        Array.from({ length: PLACES * 3 }, (_, index) => client(index % 2 === 0 ? "" : HEAD_BEGUN)),
      );
      const others = await Promise.all(Array.from({ length: 5 }, () => client(GET)));
      await Promise.all(others.map(hello));
      await command.line(/\[WARNING\] This worker runs out of places and has closed \d+ connections?: /);
      const refused = slow.filter(({ received }) => received.startsWith("HTTP/1.1 408 "));
      const closed = slow.filter(({ ended, received }) => ended && received === "");
      assert.ok(refused.length > 0, "slow heads are told");
      assert.ok(closed.length > 0, "silent clients are closed");
      working.send("");
      await hello(await client("GET /release HTTP/1.1\r\nHost: a\r\n\r\n"));
      await working.until((received) => received.includes("held"), "the response of the one in progress");
      for (const { socket } of slow) socket.destroy();
    });

    test(`${kind.interface}: clients that are in use keep their places, and new ones wait`, async (context) => {
      const { client } = await serve(context, kind);
      const held = await Promise.all(
        Array.from({ length: PLACES }, () => client("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")),
      );
      const waiting = await client(GET);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      assert.equal(waiting.received, "");
      assert.ok(held.every(({ ended }) => !ended));
      held[0]?.socket.destroy();
      await hello(waiting);
      await hello(await client("GET /release HTTP/1.1\r\nHost: a\r\n\r\n"));
      const answered = held.slice(1);
      await until("each has its response", () => answered.every(({ received }) => received.includes("held")));
    });
  }
});
