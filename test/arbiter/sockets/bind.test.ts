/** Binding through the built command: each kind of address, and each failure. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../../support/ask.ts";
import {
  childrenOf,
  isAlive,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "../../support/command.ts";
import { leaveDeadSocket } from "../../support/dead-socket.ts";
import { freePort } from "../../support/free-port.ts";
import { otherNodes } from "../../support/other-nodes.ts";

const ECHO = "pool/echo.mjs:handler";

async function refusal(context: TestContext, binds: readonly string[]): Promise<string> {
  const command = startCommand(context, [ECHO, ...binds.flatMap((bind) => ["-b", bind])]);
  assert.deepEqual(await command.ended(), { code: 1, signal: null });
  assert.equal(command.stderr.split("\n").length, 2, `more than one line: ${command.stderr}`);
  return command.stderr.trimEnd();
}

test("serves on TCP over IPv4 and IPv6 and on a Unix socket at once", async (context) => {
  const path = join(temporaryFolder(context), "app.sock");
  const binds = ["127.0.0.1:0", "[::1]:0", "localhost:0", `unix:${path}`];
  const args = [ECHO, "-w", "2", ...binds.flatMap((bind) => ["-b", bind])];
  const command = startCommand(context, args);
  await command.ready();
  const urls = await command.urls();
  assert.match(urls[0] ?? "", /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.match(urls[1] ?? "", /^http:\/\/\[::1\]:\d+$/);
  assert.match(urls[2] ?? "", /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(urls[3], `unix:${path}`);
  for (const url of urls) {
    const target = url.startsWith("unix:")
      ? { path }
      : { host: new URL(url).hostname.replace(/^\[|\]$/g, ""), port: Number(new URL(url).port) };
    const answer = await ask(target, "/", "hello");
    const [pid, text] = answer.text.split(" ");
    assert.equal(text, "hello");
    assert.ok(command.workers().includes(Number(pid)), `${pid} is no worker`);
  }
  await command.end();
  assert.ok(!existsSync(path), "the socket's file is left behind");
});

test("an IPv4 and an IPv6 wildcard share a port", async (context) => {
  const first = startCommand(context, [ECHO, "-b", "127.0.0.1:0"]);
  const port = await first.port();
  await first.end();
  const command = startCommand(context, [ECHO, "-b", `0.0.0.0:${port}`, "-b", `[::]:${port}`]);
  await command.ready();
  for (const host of ["127.0.0.1", "::1"]) assert.equal((await ask({ host, port })).status, 200);
});

for (const node of [process.execPath, ...otherNodes]) {
  const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
  test(`${version}: clients that connect while the first workers boot wait and get a response`, async (context) => {
    const folder = temporaryFolder(context);
    const [path, database] = [join(folder, "app.sock"), join(folder, "database")];
    const args = ["pool/slow-boot.mjs", "-w", "2", "-b", "127.0.0.1:0", "-b", `unix:${path}`];
    const command = startCommand(context, args, { node, env: { DATABASE: database } });
    const port = await command.port();
    const sockets = Array.from({ length: 40 }, (_, index) => {
      const socket = index % 2 === 0 ? connect(port, "127.0.0.1") : connect(path);
      return socket.setEncoding("latin1");
    });
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    assert.deepEqual(command.lines(/Ready/), []);
    const answers = sockets.map(async (socket, index) => {
      socket.end(`GET /?${index} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      let text = "";
      for await (const chunk of socket) text += chunk;
      assert.match(text, new RegExp(`^HTTP/1.1 200 OK\r\n[^]*served ${index}\n$`));
    });
    writeFileSync(database, "");
    await Promise.all(answers);
    assert.equal((await command.end()).code, 0);
  });
}

test("of two servers that start at the same time one serves and the other reports why it cannot", async (context) => {
  const unix = join(temporaryFolder(context), "app.sock");
  const port = await freePort();
  for (const [bind, reason] of [
    [`127.0.0.1:${port}`, "the port is in use; stop the other server or choose another port"],
    [`unix:${unix}`, "another server listens on it; stop it or choose another path"],
  ] as const) {
    const servers = [1, 2].map(() => startCommand(context, [ECHO, "-b", bind]));
    const loser = await until("one has ended", () => servers.find(({ exit }) => exit !== undefined));
    assert.deepEqual(loser.exit, { code: 1, signal: null });
    assert.equal(loser.stderr, `tsgun: cannot bind ${bind}: ${reason}\n`);
    const [winner] = servers.filter((server) => server !== loser) as [RunningCommand];
    await winner.ready();
    assert.equal((await winner.end()).code, 0);
  }
});

test("an address that bind contains twice is refused", async (context) => {
  const port = await freePort();
  const unix = join(temporaryFolder(context), "app.sock");
  const twice = (shown: string, other: string): string =>
    `tsgun: cannot bind ${shown}: bind contains it twice, ${other} has it already; remove one of them`;
  for (const [first, second] of [
    [`127.0.0.1:${port}`, `127.0.0.1:${port}`],
    [`0.0.0.0:${port}`, `127.0.0.1:${port}`],
    [`[::]:${port}`, `[::1]:${port}`],
    [`unix:${unix}`, `unix:${unix}`],
  ] as const) {
    assert.equal(await refusal(context, [first, second]), twice(second, first));
  }
  assert.ok(!existsSync(unix));
});

test("a port in use is refused", async (context) => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  context.after(() => other.close());
  const { port } = other.address() as { port: number };
  assert.equal(
    await refusal(context, [`127.0.0.1:${port}`]),
    `tsgun: cannot bind 127.0.0.1:${port}: the port is in use; stop the other server or choose another port`,
  );
});

test("an address that this machine does not have is refused", async (context) => {
  assert.equal(
    await refusal(context, ["192.0.2.1:0"]),
    "tsgun: cannot bind 192.0.2.1:0: this machine has no such address",
  );
});

test("a host name that does not exist is refused", async (context) => {
  assert.equal(
    await refusal(context, ["no-such-host.invalid:0"]),
    "tsgun: cannot bind no-such-host.invalid:0: cannot resolve the host name no-such-host.invalid",
  );
});

test("a socket in a folder that does not exist is refused", async (context) => {
  const folder = join(temporaryFolder(context), "missing");
  assert.equal(
    await refusal(context, [`unix:${folder}/app.sock`]),
    `tsgun: cannot bind unix:${folder}/app.sock: there is no folder ${folder}`,
  );
});

test("a socket path that is too long is refused", { skip: process.platform !== "linux" }, async (context) => {
  const folder = temporaryFolder(context);
  const longest = join(folder, "x".repeat(107 - folder.length - 1));
  const tooLong = `${longest}x`;
  assert.equal(
    await refusal(context, [`unix:${tooLong}`]),
    `tsgun: cannot bind unix:${tooLong}: the path is too long: 108 bytes, the system allows 107`,
  );
  const command = startCommand(context, [ECHO, "-b", `unix:${longest}`]);
  await command.ready();
  assert.equal((await ask({ path: longest })).status, 200);
});

test("a socket path at which there is something else is refused, and the file kept", async (context) => {
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, "file"), "precious");
  mkdirSync(join(folder, "folder"));
  for (const name of ["file", "folder"]) {
    const path = join(folder, name);
    assert.equal(
      await refusal(context, [`unix:${path}`]),
      `tsgun: cannot bind unix:${path}: the path exists and is not a socket`,
    );
    assert.ok(existsSync(path));
  }
});

test("a socket that another server listens on is refused, and that server keeps serving", async (context) => {
  const path = join(temporaryFolder(context), "app.sock");
  const other = startCommand(context, [ECHO, "-b", `unix:${path}`]);
  await other.ready();
  assert.equal(
    await refusal(context, ["127.0.0.1:0", `unix:${path}`]),
    `tsgun: cannot bind unix:${path}: another server listens on it; stop it or choose another path`,
  );
  assert.equal((await ask({ path })).status, 200);
});

test("the socket file of a killed server is replaced", async (context) => {
  const path = join(temporaryFolder(context), "app.sock");
  const killed = startCommand(context, [ECHO, "-b", `unix:${path}`]);
  await killed.ready();
  const workers = killed.workers();
  await killed.end("SIGKILL");
  await until("its workers are gone", () => !workers.some(isAlive));
  const left = lstatSync(path).ino;
  const command = startCommand(context, [ECHO, "-b", `unix:${path}`]);
  await command.ready();
  assert.equal((await ask({ path })).status, 200);
  await command.end();
  assert.ok(!existsSync(path), `the file ${left} is left behind`);
});

test("the socket file of a dead server with an open connection is replaced", async (context) => {
  const path = join(temporaryFolder(context), "app.sock");
  const connection = await leaveDeadSocket(path);
  context.after(() => connection.destroy());
  const command = startCommand(context, [ECHO, "-b", `unix:${path}`]);
  await command.ready();
  assert.equal((await ask({ path })).status, 200);
  assert.equal((await command.end()).code, 0);
});

test("a file that has replaced the socket is kept at the end", async (context) => {
  const { path, command } = await served(context);
  const { renameSync } = await import("node:fs");
  renameSync(path, `${path}.old`);
  writeFileSync(path, "mine");
  await command.end();
  assert.ok(existsSync(path));
});

async function served(context: TestContext): Promise<{ path: string; command: RunningCommand }> {
  const path = join(temporaryFolder(context), "app.sock");
  const command = startCommand(context, [ECHO, "-b", `unix:${path}`]);
  await command.ready();
  return { path, command };
}

test("a port without permission is refused", {
  skip: process.getuid?.() === 0 ? "root may do everything" : false,
}, async (context) => {
  assert.match(await refusal(context, ["127.0.0.1:80"]), /no permission; ports below 1024/);
});

test("the arbiter never accepts: connections wait while no worker runs", async (context) => {
  const { path, command } = await served(context);
  command.kill("SIGTTOU");
  await until("the worker is gone", () => childrenOf(command.pid).length === 0);
  const waiting = ask({ path }, "/", "patient");
  command.kill("SIGTTIN");
  assert.match((await waiting).text, /patient$/);
});
