/** An upgraded connection delivers every byte in order, whichever end closes first. */
import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { until } from "../../support/command.ts";
import { type Engine, startEngine, statuses } from "../../support/engine.ts";

const UPGRADE = "GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

/** An engine whose app takes over upgrade requests and responds to others a little later. */
async function startTaking(
  t: Parameters<typeof startEngine>[0],
  take: (duplex: Duplex) => void,
): Promise<Engine> {
  return await startEngine(t, {
    handle: async (_request, respond) => {
      await pause(50);
      respond(200, null, "slow");
    },
    upgrade: (_request, respond) => take(respond.upgrade({ upgrade: "echo" })),
  });
}

test("a client that sends everything ahead and ends gets all of it back", async (t) => {
  const engine = await startTaking(t, (duplex) => duplex.pipe(duplex));
  const early = "early data ".repeat(2000);
  const answer = await engine.exchange(`GET / HTTP/1.1\r\nHost: a\r\n\r\n${UPGRADE}${early}`);
  assert.ok(answer.includes("slow"), answer.slice(0, 300));
  assert.equal(answer.split("\r\n\r\n")[2], early);
  assert.deepEqual(engine.errors, []);
});

test("a client that offers HTTP/2 by an upgrade, as Java's does, is answered as one that does not", async (t) => {
  const engine = await startTaking(t, () => assert.fail("it asks for nothing that the app has"));
  const offer =
    "Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n";
  const post = `POST / HTTP/1.1\r\n${offer}Content-Length: 3\r\n\r\nabc`;
  const last = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  const answer = await engine.exchange(`GET / HTTP/1.1\r\n${offer}\r\n${post}${last}`);
  assert.deepEqual(statuses(answer), [200, 200, 200]);
});

test("an app that ends first still reads what the client sent", async (t) => {
  let taken: Duplex | undefined;
  const engine = await startTaking(t, (duplex) => {
    taken = duplex;
    duplex.end("bye");
  });
  const client = await engine.connect();
  client.send(UPGRADE);
  await client.until((text) => text.endsWith("bye"));
  client.socket.end("the last words");
  await until("the connection is closed", () => engine.server.connections === 0);
  const words: Buffer[] = [];
  for await (const chunk of taken as Duplex) words.push(chunk as Buffer);
  assert.equal(Buffer.concat(words).toString(), "the last words");
});

test("a client that sends faster than the app reads is slowed down", async (t) => {
  let taken: Duplex | undefined;
  const engine = await startTaking(t, (duplex) => {
    taken = duplex;
  });
  const client = await engine.connect();
  const total = 30_000_000;
  let sent = false;
  client.send(UPGRADE);
  await client.until((text) => text.includes("101"));
  client.socket.end(Buffer.alloc(total), () => {
    sent = true;
  });
  await pause(300);
  assert.ok(!sent, "everything was read into memory");
  let size = 0;
  for await (const chunk of taken as Duplex) size += (chunk as Buffer).length;
  assert.equal(size, total);
});
