/** `--reuse-port` through the built command: several servers at one address. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../../support/ask.ts";
import { FIXTURES, isAlive, type RunningCommand, startCommand, until } from "../../support/command.ts";
import { freePort } from "../../support/free-port.ts";

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Whether Node itself supports the option; otherwise koffi is needed. */
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const KNOWN = major > 22 || (major === 22 && minor >= 12);

function start(
  context: TestContext,
  { host, port }: Address,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): RunningCommand {
  const bind = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const words = ["echo.mjs:handler", "-w", "2", "-b", bind, ...args];
  return startCommand(context, words, { cwd: join(FIXTURES, "pool"), env });
}

async function serve(context: TestContext, address: Address): Promise<RunningCommand> {
  const server = start(context, address, ["--reuse-port"]);
  await server.ready();
  return server;
}

async function answerer(address: Address): Promise<number> {
  return Number((await ask(address)).text.split(" ")[0]);
}

/** Waits until a worker of each server has responded. */
async function allAnswer(address: Address, servers: readonly RunningCommand[]): Promise<void> {
  const answered = new Set<RunningCommand>();
  await until("every server has answered", async () => {
    const pid = await answerer(address);
    for (const server of servers) if (server.workers().includes(pid)) answered.add(server);
    return answered.size === servers.length;
  });
}

/** Number of sockets that listen on a port: lines of the kernel's table with the port and the state 0A. */
function listening(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return readFileSync("/proc/net/tcp", "latin1").split(`:${hex} 00000000:0000 0A`).length - 1;
}

for (const host of ["127.0.0.1", "::1"]) {
  test(`two servers share an address: ${host}`, async (context) => {
    const address = { host, port: await freePort() };
    await allAnswer(address, [await serve(context, address), await serve(context, address)]);
  });
}

test("all workers of a server accept on its one socket", async (context) => {
  const address = { host: "127.0.0.1", port: await freePort() };
  const server = await serve(context, address);
  assert.equal(listening(address.port), 1);
  const seen = new Set<number>();
  await until("both workers have answered", async () => {
    seen.add(await answerer(address));
    return server.workers().every((pid) => seen.has(pid));
  });
});

test("a stopping server leaves new connections to the other servers and finishes its own requests", async (context) => {
  const address = { host: "127.0.0.1", port: await freePort() };
  const first = await serve(context, address);
  const slow = ask(address, "/slow?1500");
  await until("the slow request has arrived", async () => (await answerer(address)) > 0);
  const second = await serve(context, address);
  assert.equal(listening(address.port), 2);
  first.kill("SIGTERM");
  await until("the first server has released the address", () => listening(address.port) === 1);
  for (let count = 0; count < 20; count += 1) {
    assert.ok(second.workers().includes(await answerer(address)));
  }
  assert.equal((await slow).status, 200);
  assert.equal((await first.ended()).code, 0);
});

test("HUP and USR2 work as without --reuse-port", async (context) => {
  const address = { host: "127.0.0.1", port: await freePort() };
  const [first, other] = [await serve(context, address), await serve(context, address)];
  first.kill("SIGHUP");
  await first.ready(2);
  await allAnswer(address, [first, other]);
  first.kill("SIGUSR2");
  await until("the old arbiter is gone", () => !isAlive(first.pid));
  const next = first.arbiters()[1] as number;
  assert.equal(listening(address.port), 2);
  await until("the new arbiter's workers answer", async () =>
    first.workers(next).includes(await answerer(address)),
  );
  process.kill(next, "SIGTERM");
  await until("the old arbiter has released the address", () => listening(address.port) === 1);
  assert.ok(other.workers().includes(await answerer(address)));
});

test("a port of a server without --reuse-port is in use", async (context) => {
  const address = { host: "127.0.0.1", port: await freePort() };
  const first = start(context, address, []);
  await first.ready();
  const second = start(context, address, ["--reuse-port"]);
  assert.equal((await second.ended()).code, 1);
  const why = "the port is in use by a server without --reuse-port, or by another user's server";
  assert.match(second.stderr, new RegExp(`cannot bind 127.0.0.1:${address.port}: ${why}\\n$`));
  assert.equal(second.stderr.split("\n").length, 2);
});

test("a Node that cannot share a port names the version that can", {
  skip: KNOWN && "this one can",
}, async (context) => {
  const address = { host: "127.0.0.1", port: await freePort() };
  const env = { NODE_OPTIONS: `--require ${join(FIXTURES, "native/no-koffi.cjs")}` };
  const server = start(context, address, ["--reuse-port"], env);
  assert.equal((await server.ended()).code, 2);
  const line = `reuse-port needs Node 22.12 or newer, or the package koffi on Linux; this is Node ${process.versions.node}`;
  assert.equal(server.stderr, `tsgun: ${line}\n`);
});
