/**
 * Places that are taken by slow uploads, slow readers and idle connections, through the built command: they are made free
 * for others, and a proxy loses no request of its pool by that.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import {
  cleanUp,
  FIXTURES,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import type { RawClient } from "../support/engine.ts";
import { startNginx } from "../support/nginx.ts";
import { rawClient } from "../support/raw-answer.ts";

const PLACES = 40;
const KINDS = [
  { app: "gateway.mjs:handler", interface: "gateway" },
  { app: "listener.mjs:handler", interface: "node" },
  { app: "server.mjs", interface: "server" },
];

/** The bytes of clients that come again and again, and whether they send a byte now and then. */
const ATTACKS = [
  {
    name: "slow uploads",
    bytes: "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
    drips: true,
    closed: /with a slow request body/,
  },
  {
    name: "slow readers",
    bytes: "GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
    drips: false,
    closed: /reading too slowly/,
  },
  {
    name: "idle connections",
    bytes: "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    drips: false,
    // Responses of a full worker close their connections, so the idle ones may all stay.
    closed: undefined,
  },
];

interface Served {
  readonly command: RunningCommand;
  readonly port: number;
}

async function serve(
  context: TestContext,
  kind: (typeof KINDS)[number],
  args: readonly string[] = [],
): Promise<Served> {
  const control = join(temporaryFolder(context), "c.ctl");
  const words = [kind.app, "--interface", kind.interface, "-b", "127.0.0.1:0", "-w", "1"];
  const places = ["--worker-connections", `${PLACES}`, "--control-socket", control];
  const command = startCommand(context, [...words, ...places, ...args], { cwd: join(FIXTURES, "slow") });
  await command.ready();
  return { command, port: await command.port() };
}

/** Whether idle connections make room for requests that stay. @param trusted whether their client is a trusted proxy */
async function idleGiveWay(context: TestContext, kind: (typeof KINDS)[number], trusted: boolean) {
  const idle = PLACES - 4;
  const { command, port } = await serve(context, kind, trusted ? [] : ["--forwarded-allow-ips", "192.0.2.1"]);
  const open = async (path: string): Promise<RawClient> => {
    const client = await rawClient(context, port);
    client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    return client;
  };
  const kept = await Promise.all(Array.from({ length: idle }, () => open("/")));
  await until("all are answered", () => kept.every(({ received }) => received.includes("hello")));
  const held = await Promise.all(Array.from({ length: idle }, () => open("/hold")));
  if (trusted) {
    await new Promise((resolve) => setTimeout(resolve, 7000));
    assert.ok(kept.every(({ ended }) => !ended));
    return;
  }
  await command.line(/has closed .*\d idle/);
  await until("each request has its response", async () => {
    await ask({ host: "127.0.0.1", port }, "/release");
    return held.every(({ received }) => received !== "");
  });
}

for (const kind of KINDS)
  describe(`idle connections, of ${kind.interface}`, { concurrency: true }, () => {
    test("make room for requests", (context) => idleGiveWay(context, kind, false));
    test("of a trusted proxy do not: it may be sending on them", (context) =>
      idleGiveWay(context, kind, true));
  });

/** Clients that connect, do as they do, and connect again when they are closed. Returns how to end it. */
function attack(port: number, clients: number, { bytes, drips }: (typeof ATTACKS)[number]): () => void {
  const sockets = new Set<Socket>();
  let isOver = false;
  const open = (): void => {
    if (isOver) return;
    const socket = connect(port, "127.0.0.1").pause();
    sockets.add(socket);
    socket.on("error", () => {});
    socket.write(bytes);
    const drip = drips ? setInterval(() => socket.write("x"), 1000) : undefined;
    // The server's end is seen only by reading; its response is not read.
    socket.on("close", () => {
      clearInterval(drip);
      sockets.delete(socket);
      setTimeout(open, 20);
    });
  };
  for (let count = 0; count < clients; count += 1) open();
  return () => {
    isOver = true;
    for (const socket of sockets) socket.destroy();
  };
}

for (const scenario of ATTACKS)
  describe(scenario.name, { concurrency: true }, () => {
    for (const kind of KINDS)
      test(`make room for others, of ${kind.interface}`, async (context) => {
        const { command, port } = await serve(context, kind);
        const stop = attack(port, PLACES * 2, scenario);
        cleanUp(context, stop);
        if (scenario.closed === undefined) await command.line(/This worker has 40 connections, the limit/);
        else await command.line(new RegExp(`has closed .*${scenario.closed.source}`));
        for (let count = 0; count < 5; count += 1)
          assert.equal((await ask({ host: "127.0.0.1", port })).status, 200);
        stop();
      });
  });

for (const kind of KINDS)
  test(`nginx loses no request while its idle connections and others compete for places, of ${kind.interface}`, async (context) => {
    if (!hasComponent(context, "nginx")) return;
    const { port: app } = await serve(context, kind);
    const site = {
      upstream: `server 127.0.0.1:${app}; keepalive 64;`,
      server: `location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }`,
    };
    const pooled = await startNginx(context, temporaryFolder(context), site);
    const other = await startNginx(context, temporaryFolder(context), site);
    const agent = new Agent({ keepAlive: true });
    cleanUp(context, () => agent.destroy());
    const statuses: number[] = [];
    // Nginx repeats no POST that it has sent.
    const post = async (port: number, path: string): Promise<void> => {
      const outgoing = request({ host: "127.0.0.1", port, method: "POST", path, agent });
      outgoing.end("content");
      const [answer] = await once(outgoing, "response");
      statuses.push(answer.statusCode);
      answer.resume();
      await once(answer, "end");
    };
    const burst = (port: number, count: number, path = "/upload") =>
      Promise.all(Array.from({ length: count }, () => post(port, path)));
    for (let round = 0; round < 2; round += 1) {
      await burst(pooled.port, PLACES - 4);
      await new Promise((resolve) => setTimeout(resolve, 6500));
      // One pool is used again just when requests that stay need its places.
      let isHeld = true;
      const held = burst(other.port, 10, "/hold").finally(() => {
        isHeld = false;
      });
      await Promise.all(Array.from({ length: 10 }, () => burst(pooled.port, 3)));
      while (isHeld) await post(pooled.port, "/release");
      await held;
    }
    assert.deepEqual([...new Set(statuses)], [200]);
  });
