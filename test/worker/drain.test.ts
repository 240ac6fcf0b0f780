/** Long-lived responses (event streams, upgraded connections) are notified of the drain, and cannot delay it for ever. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { ask } from "../support/ask.ts";
import { FIXTURES, isAlive, type RunningCommand, startCommand, until } from "../support/command.ts";
import { RawClient } from "../support/engine.ts";

const APP = join(FIXTURES, "pool/long-answers.mjs");
const LISTENER = `${join(FIXTURES, "pool/stubborn-listener.mjs")}:server`;
const UPGRADE = "\r\nConnection: Upgrade\r\nUpgrade: lines";

async function open(command: RunningCommand, request: string): Promise<RawClient> {
  const socket = connect({ port: await command.port(), host: "127.0.0.1", allowHalfOpen: true });
  await once(socket, "connect");
  const client = new RawClient(socket);
  client.send(`${request}\r\n\r\n`);
  await client.until((text) => /pid \d+\n/.test(text), "the first piece");
  return client;
}

async function start(context: TestContext, app: string, ...args: string[]): Promise<RunningCommand> {
  const command = startCommand(context, [app, "-b", "127.0.0.1:0", ...args]);
  await command.ready();
  return command;
}

test("event streams and upgraded connections end themselves when the worker drains", async (context) => {
  const command = await start(context, APP);
  const events = await open(command, "GET /events HTTP/1.1\r\nHost: a");
  const lines = await open(command, `GET / HTTP/1.1\r\nHost: a${UPGRADE}`);
  lines.send("echo\n");
  await lines.until((text) => text.endsWith("echo\n"));
  command.kill("SIGHUP");
  assert.match(await events.rest(), /data: draining true\n\n\r\n0\r\n\r\n$/);
  assert.match(await lines.rest(), /goodbye\n$/);
  await command.ready(2);
  assert.doesNotMatch(command.stderr, /has not finished|is killed/);
});

for (const [what, app] of [
  ["a gateway app", APP],
  ["a node listener", LISTENER],
  ["a server of the app", join(FIXTURES, "pool/stubborn-server.mjs")],
] as const) {
  test(`${what} that does not end is cut at the graceful timeout, and does not look complete`, async (context) => {
    const command = await start(context, app, "--graceful-timeout", "700ms");
    const request = "GET /stubborn HTTP/1.1\r\nHost: a";
    const clients = [await open(command, request), await open(command, request + UPGRADE)];
    const [old = 0] = command.workers();
    command.kill("SIGHUP");
    await command.ready(2);
    for (const client of clients) assert.doesNotMatch(await client.rest(), /\r\n0\r\n\r\n$/);
    await until("the old worker is gone", () => !command.workers().includes(old));
    await command.line(new RegExp(`Worker \\(pid: ${old}\\) has not finished within --graceful-timeout`));
    assert.doesNotMatch(command.stderr, /is killed/);
  });
}

describe("the WebSockets of a framework that closes them itself", { concurrency: true }, () => {
  const APP = join(FIXTURES, "pool/fastify-sockets.mjs");

  async function startSockets(context: TestContext, app: string, ...args: string[]) {
    const words = ["--config", join(FIXTURES, "pool/exit-hook.config.mjs"), "--linger", "100ms"];
    const command = await start(context, `${APP}:${app}()`, ...words, ...args);
    const target = { host: "127.0.0.1", port: await command.port() };
    const socket = new WebSocket(`ws://127.0.0.1:${target.port}/`);
    context.after(() => socket.terminate());
    const [pid] = await once(socket, "message");
    return { command, target, socket, worker: Number(String(pid)) };
  }

  test("are closed after the last other request, which is answered", async (context) => {
    const { command, target, socket, worker } = await startSockets(context, "polite");
    const slow = ask(target, "/slow");
    await until("it is under way", async () => (await ask(target, "/nowhere")).status === 404);
    const closed = once(socket, "close");
    command.kill("SIGHUP");
    const answer = await slow;
    assert.deepEqual([answer.status, answer.text], [200, "late"]);
    assert.equal((await closed)[0], 1001);
    await until("the old worker is gone", () => !isAlive(worker));
    assert.equal(command.stdout, "onClose\nworkerExit\n");
    assert.doesNotMatch(command.stderr, /has not finished|is killed/);
  });

  test("are cut at the graceful timeout if it does not, and the hooks still run", async (context) => {
    const { command, socket } = await startSockets(context, "stubborn", "--graceful-timeout", "500ms");
    const closed = once(socket, "close");
    assert.deepEqual(await command.end(), { code: 0, signal: null });
    assert.equal((await closed)[0], 1006);
    assert.equal(command.stdout, "onClose\nworkerExit\n");
    assert.doesNotMatch(command.stderr, /is killed/);
  });
});

for (const [app, kind] of [
  ["works-on.mjs:app", "gateway"],
  ["works-on.mjs:listener", "node"],
  ["works-on-server.mjs", "server"],
] as const) {
  test(`${kind}: what a handler does behind its answer is waited for, what it does for a client that has gone is not`, async (context) => {
    const command = await start(
      context,
      join(FIXTURES, "pool", app),
      "--interface",
      kind,
      "--linger",
      "100ms",
    );
    const target = { host: "127.0.0.1", port: await command.port() };
    const gone = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const socket = connect(target);
        await once(socket, "connect");
        socket.write("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
        return socket;
      }),
    );
    assert.equal((await ask(target)).text, "answered");
    for (const socket of gone) socket.destroy();
    const since = performance.now();
    assert.deepEqual(await command.end(), { code: 0, signal: null });
    assert.ok(performance.now() - since < 15_000, "half of the time that a request has");
    assert.equal(command.stdout, kind === "gateway" ? "done\nshutdown\n" : "done\n");
    assert.deepEqual(command.lines(/ERROR|WARNING/), []);
  });
}
