/** A Unix socket whose file is removed while the server runs, through the built command. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, existsSync, lstatSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Answer, ask } from "../../support/ask.ts";
import {
  FIXTURES,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "../../support/command.ts";
import { leaveDeadSocket } from "../../support/dead-socket.ts";

interface Served {
  readonly command: RunningCommand;
  readonly folder: string;
  readonly path: string;
  readonly port: number;
  health(): Promise<Answer>;
  /** Waits until the server is ready or not, and returns the reason. */
  isReady(ready: boolean): Promise<string>;
  /** The pid of the worker that responds at the path. */
  answerer(): Promise<string | undefined>;
}

/** A server on TCP and a Unix socket, with its own app. */
async function served(context: TestContext): Promise<Served> {
  const folder = temporaryFolder(context);
  const [path, admin] = [join(folder, "app.sock"), join(folder, "admin.sock")];
  copyFileSync(join(FIXTURES, "pool", "echo.mjs"), join(folder, "app.mjs"));
  const binds = ["-b", "127.0.0.1:0", "-b", `unix:${path}`, "--admin-bind", `unix:${admin}`];
  const command = startCommand(context, ["app.mjs:handler", "-w", "2", ...binds], { cwd: folder });
  await command.ready();
  const health = (): Promise<Answer> => ask({ path: admin }, "/health/ready");
  return {
    ...{ command, folder, path, health },
    port: await command.port(),
    isReady: (ready) =>
      until(`it is ${ready ? "" : "not "}ready`, async () => {
        const { status, text } = await health();
        return status === (ready ? 200 : 503) && String(JSON.parse(text).reason);
      }),
    answerer: async () => (await ask({ path })).text.split(" ")[0],
  };
}

const LOST = /Clients cannot reach unix:/;

test("a removed file is logged once and makes the server unready; HUP and USR2 bind it again", async (context) => {
  const { command, path, port, isReady, answerer } = await served(context);
  for (const [round, signal] of (["SIGHUP", "SIGUSR2", "SIGHUP"] as const).entries()) {
    unlinkSync(path);
    assert.equal(await isReady(false), `unix:${path}: its file was removed`);
    await command.line(LOST, round + 1);
    assert.equal((await ask({ port })).status, 200);
    const [arbiter = 0] = command.arbiters().slice(-1);
    process.kill(arbiter, signal);
    const pid = await until("a worker answers by the path again", answerer);
    if (signal === "SIGUSR2") await command.line(/The previous arbiter .* has exited/);
    assert.ok(Number(pid) > 0);
    await isReady(true);
    if (signal === "SIGHUP") await command.line(/Clients can reach unix:.* again/, round === 0 ? 1 : 2);
  }
  assert.equal(command.lines(LOST).length, 3, command.stderr);
  const [last = 0] = command.arbiters().slice(-1);
  process.kill(last, "SIGTERM");
  await until("the file of the new socket is removed", () => !existsSync(path));
});

test("old workers finish their requests on the old socket, and accept none once the new workers serve", async (context) => {
  const { command, path, answerer } = await served(context);
  const slow = ask({ path }, "/slow?1500", "patient");
  await until("both workers are there", () => command.workers().length === 2);
  await answerer();
  unlinkSync(path);
  const before = command.workers();
  command.kill("SIGHUP");
  await command.ready(2);
  const pid = Number(await answerer());
  assert.ok(!before.includes(pid), `${pid} is an old worker`);
  assert.match((await slow).text, /patient$/);
});

test("a failed reload removes its new socket, and the next reload binds it again", async (context) => {
  const { command, folder, path, port, isReady, answerer } = await served(context);
  unlinkSync(path);
  const source = join(folder, "app.mjs");
  renameSync(source, `${source}.good`);
  writeFileSync(source, "throw new Error('broken');\n");
  command.kill("SIGHUP");
  await command.line(/Reload failed, generation 1 stays: /);
  await until("the new socket is gone", () => !existsSync(path));
  assert.equal(await isReady(false), `unix:${path}: its file was removed`);
  // A worker that is replaced now gets the same sockets as the others.
  const [killed = 0] = command.workers();
  process.kill(killed, "SIGKILL");
  await until("it is replaced", () => command.workers().length === 2 && !command.workers().includes(killed));
  assert.equal((await ask({ port })).status, 200);
  renameSync(`${source}.good`, source);
  command.kill("SIGHUP");
  await until("a worker answers by the path again", answerer);
  await isReady(true);
});

test("a failed upgrade removes its new socket", async (context) => {
  const { command, folder, path, isReady } = await served(context);
  unlinkSync(path);
  writeFileSync(join(folder, "app.mjs"), "throw new Error('broken');\n");
  command.kill("SIGUSR2");
  await command.line(/Upgrade failed, this arbiter continues to serve: /);
  assert.ok(!existsSync(path), "the file of the new arbiter is left");
  assert.equal(await isReady(false), `unix:${path}: its file was removed`);
});

test("a file in place of the socket is kept, and a reload reports it", async (context) => {
  const { command, path, port, isReady, answerer } = await served(context);
  unlinkSync(path);
  const other = createServer((socket) => socket.on("error", () => {}).end("other")).listen(path);
  await once(other, "listening");
  const { ino } = lstatSync(path);
  assert.equal(await isReady(false), `unix:${path}: another server's socket is in its place`);
  await command.line(
    /Clients cannot reach unix:.* another server's socket is in its place; stop that server/,
  );
  for (const [signal, failure] of [
    ["SIGHUP", "Reload failed, generation 1 stays"],
    ["SIGUSR2", "Upgrade failed, this arbiter continues to serve"],
  ] as const) {
    command.kill(signal);
    const line = await command.line(new RegExp(failure));
    assert.match(line, /cannot bind unix:.*: another server listens on it; stop it/);
    assert.equal(lstatSync(path).ino, ino);
  }
  assert.equal((await ask({ port })).status, 200);
  await new Promise((done) => other.close(done));
  writeFileSync(path, "mine");
  assert.equal(await isReady(false), `unix:${path}: something that is no socket is in its place`);
  unlinkSync(path);
  command.kill("SIGHUP");
  await until("a worker answers by the path again", answerer);
});

test("a dead server's socket in place of the file is replaced", async (context) => {
  const { command, path, isReady, answerer } = await served(context);
  for (const [round, signal] of (["SIGHUP", "SIGUSR2"] as const).entries()) {
    unlinkSync(path);
    await leaveDeadSocket(path);
    assert.equal(await isReady(false), `unix:${path}: another server's socket is in its place`);
    await command.line(LOST, round + 1);
    command.kill(signal);
    await until("a worker answers by the path again", answerer);
    if (signal === "SIGHUP") await command.line(/Clients can reach unix:.* again/);
  }
  await command.line(/The previous arbiter .* has exited/);
  const [last = 0] = command.arbiters().slice(-1);
  process.kill(last, "SIGTERM");
  await until("the file of the new socket is removed", () => !existsSync(path));
});

test("a socket file that is restored makes the server ready again", async (context) => {
  const { command, path, isReady, answerer } = await served(context);
  renameSync(path, `${path}.aside`);
  await isReady(false);
  await command.line(LOST);
  renameSync(`${path}.aside`, path);
  await isReady(true);
  await command.line(/Clients can reach unix:.* again/);
  assert.ok(await answerer());
});
