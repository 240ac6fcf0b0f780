/** `--keep-alive-requests` through the built command: a connection ends after so many requests, and loses none. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { FIXTURES, startCommand } from "../support/command.ts";
import { rawClient } from "../support/raw-answer.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const COUNTING = join(FIXTURES, "pool", "counting.mjs");
const TWO = join(FIXTURES, "servers", "two-requests.mjs");

async function serve(context: TestContext, app: string, ...args: string[]): Promise<number> {
  const command = startCommand(context, [app, "-b", "127.0.0.1:0", "--no-control-socket", ...args]);
  await command.ready();
  return await command.port();
}

const answers = (text: string): number => text.split("HTTP/1.1 200 OK\r\n").length - 1;

/** Sends requests one after the other until the server closes the connection; returns the heads and contents. */
async function asked(context: TestContext, port: number): Promise<string[]> {
  const client = await rawClient(context, port);
  const received: string[] = [];
  let isOpen = true;
  client.socket.once("end", () => {
    isOpen = false;
  });
  while (isOpen && received.length < 10) {
    const before = client.received.length;
    client.send(GET);
    await client.until(
      (text) => !isOpen || /request \d+;$/.test(text.slice(before)),
      "a response or the end",
    );
    if (client.received.length > before) received.push(client.received.slice(before));
    if (/^connection: close\r$/im.test(received.at(-1) ?? "")) await client.rest();
  }
  return received;
}

const KINDS = [
  { what: "a gateway app", app: `${COUNTING}:handler`, most: 3 },
  { what: "a node listener", app: `${COUNTING}:listener`, most: 3 },
  { what: "a server that the app made", app: TWO, most: 3 },
  { what: "a server with a limit of its own", app: TWO, most: 2, own: true },
];

describe("a connection carries so many requests", { concurrency: 4 }, () => {
  for (const { what, app, most, own = false } of KINDS) {
    test(what, async (context) => {
      const port = await serve(context, app, ...(own ? [] : ["--keep-alive-requests", "3"]));
      const received = await asked(context, port);
      assert.equal(received.length, most);
      const closing = received.map((text) => /^connection: close\r$/im.test(text));
      assert.deepEqual(
        closing,
        received.map((_, index) => index === most - 1),
      );

      // A request after the last one never reaches the app, so its client may repeat it.
      const client = await rawClient(context, port);
      client.send(GET.repeat(5));
      await client.rest();
      assert.equal(answers(client.received), most);
      const next = await rawClient(context, port);
      next.send(GET);
      await next.until((text) => text.endsWith(`request ${2 * most + 1};`), "the number of the next request");
    });
  }
});

test("a WebSocket may be the last request of a connection", async (context) => {
  const app = `${join(FIXTURES, "websocket", "app.mjs")}:app`;
  const socket = new WebSocket(`ws://127.0.0.1:${await serve(context, app, "--keep-alive-requests", "1")}/`);
  context.after(() => socket.terminate());
  await once(socket, "message");
  const echo = once(socket, "message");
  socket.send("still there");
  assert.equal(String((await echo)[0]), "still there");
});

test("without it a connection is kept", async (context) => {
  const received = await asked(context, await serve(context, `${COUNTING}:listener`));
  assert.equal(received.length, 10);
});
