/** `--worker-connections` through the built command: a full worker accepts no more, and no client is refused. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type NetConnectOpts } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { FIXTURES, startCommand, temporaryFolder, until } from "../support/command.ts";
import { RawClient } from "../support/engine.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HOLD = "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n";

const KINDS = [
  { app: "ticking.mjs:handler", interface: "gateway" },
  { app: "ticking-listener.mjs:handler", interface: "node" },
  { app: "ticking-server.mjs", interface: "server" },
];

interface Serving {
  /** Connects a client, accepted or not, and sends `text`. */
  client(text: string): Promise<RawClient>;
  line(pattern: RegExp): Promise<string>;
  reload(): Promise<void>;
}

async function serve(context: TestContext, words: string[], unix: boolean): Promise<Serving> {
  const socket = join(temporaryFolder(context), "app.sock");
  const bind = unix ? `unix:${socket}` : "127.0.0.1:0";
  const command = startCommand(context, [...words, "-b", bind], { cwd: join(FIXTURES, "pool") });
  await command.ready();
  const where: NetConnectOpts = unix ? { path: socket } : { host: "127.0.0.1", port: await command.port() };
  return {
    client: async (text) => {
      const socket = connect(where);
      context.after(() => socket.destroy());
      await once(socket, "connect");
      const client = new RawClient(socket);
      client.send(text);
      return client;
    },
    line: (pattern) => command.line(pattern),
    reload: async () => {
      command.kill("SIGHUP");
      await command.ready(2);
    },
  };
}

const ticks = (client: RawClient): number => client.received.split("tick of").length - 1;
const process = (client: RawClient): string | undefined => /tick of (\d+)/.exec(client.received)?.[1];

async function ticking(client: RawClient): Promise<RawClient> {
  await client.until((text) => text.includes("tick of"), "a tick");
  return client;
}

/** Waits long enough for the server to respond to every accepted request. */
async function meanwhile(client: RawClient): Promise<void> {
  const before = ticks(client);
  await client.until(() => ticks(client) > before + 10, "ten ticks more");
}

for (const kind of KINDS) {
  for (const unix of [false, true]) {
    describe(`${kind.interface}, ${unix ? "Unix" : "TCP"}`, { concurrency: true }, () => {
      const words = [kind.app, "--interface", kind.interface];

      test("a full worker accepts no more until a connection closes, and closes each after its response", async (context) => {
        const { client, line } = await serve(context, [...words, "--worker-connections", "3"], unix);
        const kept = await client(GET);
        await kept.until((text) => text.endsWith("hello") || text.includes("hello\r\n"));
        assert.doesNotMatch(kept.received, /connection: close/i);
        const held = await ticking(await client(HOLD));
        const second = await ticking(await client(HOLD));
        await line(/\[WARNING\] This worker has 3 connections, the limit of --worker-connections/);
        const waiting = await client(GET);
        await meanwhile(held);
        assert.equal(waiting.received, "");
        kept.send(GET);
        await kept.rest();
        assert.match(kept.received, /connection: close/i);
        await waiting.until((text) => text.includes("hello"));
        second.socket.destroy();
        held.socket.destroy();
        await until("connections are kept again", async () => {
          const next = await client(GET);
          await next.until((text) => text.includes("hello"));
          return !/connection: close/i.test(next.received);
        });
      });

      test("the other workers accept meanwhile, and a burst loses no client", async (context) => {
        const limit = ["-w", "2", "--worker-connections", "2"];
        const { client } = await serve(context, [...words, ...limit], unix);
        const holders = await Promise.all(Array.from({ length: 4 }, () => client(HOLD)));
        await Promise.all(holders.map(ticking));
        const pids = holders.map(process).sort();
        assert.equal(new Set(pids).size, 2);
        assert.equal(pids[0], pids[1]);
        const burst = await Promise.all(Array.from({ length: 20 }, () => client(GET)));
        await meanwhile(holders[0] as RawClient);
        assert.ok(burst.every(({ received }) => received === ""));
        holders[0]?.socket.destroy();
        await until("all have a response", () => burst.every(({ received }) => received.includes("hello")));
      });
    });
  }
}

test("a reloaded worker serves beside a full one, which finishes its connections", async (context) => {
  const words = ["ticking.mjs:handler", "--worker-connections", "1", "--graceful-timeout", "60s"];
  const { client, reload } = await serve(context, words, true);
  const held = await ticking(await client(HOLD));
  const waiting = await client(GET);
  const reloaded = reload();
  await waiting.until((text) => text.includes("hello"));
  await reloaded;
  await meanwhile(held);
});

test("0 means no limit", async (context) => {
  const { client } = await serve(context, ["ticking.mjs:handler", "--worker-connections", "0"], true);
  const holders = await Promise.all(Array.from({ length: 20 }, () => client(HOLD)));
  await Promise.all(holders.map(ticking));
  const last = await client(GET);
  await last.until((text) => text.includes("hello"));
  assert.doesNotMatch(last.received, /connection: close/i);
});
