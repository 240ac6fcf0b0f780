/** The error log of the built command: as JSON, to syslog, to full disks and unread pipes, and during rotation. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../../support/ask.ts";
import { FIXTURES, isAlive, startCommand, temporaryFolder, until } from "../../support/command.ts";
import { missing } from "../../support/component.ts";
import { DatagramReceiver } from "../../support/datagrams.ts";
import { receiveUdp, StreamReceiver } from "../../support/syslog-servers.ts";

interface Entry {
  readonly level: string;
  readonly time: string;
  readonly pid: number;
  readonly msg: string;
  readonly slot?: number;
  readonly generation?: number;
  readonly workerPid?: number;
  readonly id?: string;
  readonly err?: { readonly type: string; readonly message: string; readonly stack: string };
}

const THROWS = join(FIXTURES, "pool/throws.mjs");
const ECHO = join(FIXTURES, "pool/echo.mjs");

/** Parses a log; fails unless every line is an entry. */
function entries(log: string): Entry[] {
  assert.ok(log.endsWith("\n"));
  return log
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Entry);
}

function socketIn(context: TestContext): { path: string; bind: string } {
  const path = join(temporaryFolder(context), "app.sock");
  return { path, bind: `unix:${path}` };
}

/** Sends a request with an id, as a trusted proxy does; returns the status. */
async function askAs(socketPath: string, id: string, path: string): Promise<number | undefined> {
  const asking = request({ socketPath, path, headers: { "x-request-id": id }, agent: false }).end();
  const [answer] = (await once(asking, "response")) as [IncomingMessage];
  answer.resume();
  return answer.statusCode;
}

test("JSON: every line is an entry that names its process", async (context) => {
  const { path, bind } = socketIn(context);
  const command = startCommand(context, [THROWS, "-w", "2", "-b", bind, "--log-format", "json"]);
  await until("it serves", () => command.stderr.includes("Ready: generation 1"));
  assert.equal(await askAs(path, 'mine"}\\n{', "/a?b=%0A[2026]"), 500);
  assert.equal(await askAs(path, "given-1", "/c"), 500);
  await until("both errors are logged", () => command.stderr.match(/Error handling request/g)?.length === 2);
  assert.equal((await command.end()).code, 0);
  const all = entries(command.stderr);
  const failed = all.find(({ msg }) => msg.startsWith("Error handling request"));
  assert.equal(failed?.level, "error");
  assert.ok(failed.msg.includes("GET /a?b=%0A[2026] "));
  assert.ok(failed.msg.endsWith(`(${failed.id})`));
  assert.ok(all.some(({ msg, id }) => msg.endsWith("GET /c (given-1)") && id === "given-1"));
  assert.ok([1, 2].includes(failed.slot ?? 0) && failed.generation === 1 && failed.pid !== command.pid);
  assert.deepEqual([failed.err?.type, failed.err?.message], ["Error", "thrown by the app"]);
  assert.match(failed.err?.stack ?? "", /^Error: thrown by the app\n {4}at .*throws\.mjs/);
  const booted = all.filter(({ msg }) => msg.startsWith("Booting worker"));
  assert.deepEqual(booted.map(({ slot }) => slot).sort(), [1, 2]);
  for (const { pid, msg, workerPid } of booted) {
    assert.equal(pid, command.pid);
    assert.equal(msg, `Booting worker with pid: ${workerPid}`);
  }
  assert.equal(all.at(-1)?.msg, "Shutting down: Master");
  for (const { time } of all) assert.equal(new Date(time).toISOString(), time);
});

test("text is coloured on request, and not on a pipe by default", async (context) => {
  const plain = startCommand(context, [ECHO, "-b", "127.0.0.1:0"]);
  const colourful = startCommand(context, [ECHO, "-b", "127.0.0.1:0"], { env: { FORCE_COLOR: "1" } });
  await plain.ready();
  await colourful.ready();
  await plain.end();
  await colourful.end();
  assert.doesNotMatch(plain.stderr, /\x1b/);
  assert.match(colourful.stderr, /\[\x1b\[32mINFO\x1b\[0m\] Shutting down: Master\n$/);
});

test("USR1 under load: each line appears once, whole, in the old file or the new one", async (context) => {
  const folder = temporaryFolder(context);
  const { path, bind } = socketIn(context);
  const log = join(folder, "error.log");
  const args = [THROWS, "-w", "2", "-b", bind, "--error-logfile", log, "--log-format", "json"];
  const command = startCommand(context, args);
  await until(
    "it serves",
    () => existsSync(log) && readFileSync(log, "utf8").includes("Ready: generation 1"),
  );
  const requests = 1500;
  let next = 0;
  let rotations = 0;
  const client = async (): Promise<void> => {
    while (next < requests) {
      const number = next++;
      if (number % 100 === 50 && existsSync(log)) {
        renameSync(log, `${log}.${++rotations}`);
        command.kill("SIGUSR1");
      }
      assert.equal((await ask({ path }, `/number-${number}`)).status, 500);
    }
  };
  await Promise.all([client(), client(), client(), client()]);
  assert.equal((await command.end()).code, 0);
  const files = readdirSync(folder).map((name) => join(folder, name));
  assert.ok(rotations > 5 && files.length === rotations + 1, `${files.length} files`);
  const found = files
    .flatMap((file) => entries(readFileSync(file, "utf8")))
    .flatMap(({ msg }) => /number-(\d+)/.exec(msg)?.[1] ?? [])
    .map(Number);
  assert.deepEqual(
    found.sort((a, b) => a - b),
    Array.from({ length: requests }, (_, number) => number),
  );
});

test("a full disk does not stop the server", async (context) => {
  const { path, bind } = socketIn(context);
  const command = startCommand(context, [THROWS, "-w", "1", "-b", bind, "--error-logfile", "/dev/full"]);
  await until("it serves", async () => (await ask({ path }, "/")).status === 500);
  for (let request = 0; request < 20; request++) assert.equal((await ask({ path }, "/")).status, 500);
  command.kill("SIGUSR1");
  const [worker] = command.workers();
  assert.equal((await ask({ path }, "/")).status, 500);
  assert.deepEqual(command.workers(), [worker]);
  assert.equal((await command.end()).code, 0);
});

test("a pipe without a reader does not stop the server", async (context) => {
  const { path, bind } = socketIn(context);
  const command = startCommand(context, [THROWS, "-w", "1", "-b", bind]);
  await command.ready();
  const [worker] = command.workers();
  command.process.stderr?.destroy();
  for (let request = 0; request < 20; request++) assert.equal((await ask({ path }, "/")).status, 500);
  command.kill("SIGTTIN");
  await until("the arbiter has handled it, which it logs", () => command.workers().length === 2);
  assert.ok(command.workers().includes(worker as number) && isAlive(worker as number));
  assert.equal((await command.end()).code, 0);
});

test("syslog over UDP gets the entries of all processes, as the log does", async (context) => {
  const { path, bind } = socketIn(context);
  const { port, received } = await receiveUdp(context);
  const to = ["--log-syslog", "--log-syslog-to", `udp://127.0.0.1:${port}`];
  const how = ["--log-syslog-prefix", "shop", "--log-syslog-facility", "local3"];
  const command = startCommand(context, [THROWS, "-w", "1", "-b", bind, ...to, ...how]);
  await command.ready();
  const [worker] = command.workers();
  assert.equal((await ask({ path }, "/one")).status, 500);
  await command.line(/Error handling request/);
  assert.equal((await command.end()).code, 0);
  await until("the last one is there", () => received.at(-1)?.endsWith(" Shutting down: Master"));
  assert.match(received[0] ?? "", /^<158>1 \S+Z \S+ tsgun\.shop\.error \d+ - - Starting tsgun /);
  const ofWorker = received.filter((message) => message.includes(`tsgun.shop.error ${worker} - - `));
  assert.match(ofWorker[0] ?? "", /^<155>1 .* - - Error handling request GET \/one \(/);
  // A stack follows as messages of its own: a message is one line.
  assert.match(ofWorker[1] ?? "", /^<155>1 .* - - Error: thrown by the app$/);
  assert.ok(command.lines(/Shutting down: Master/).length === 1);
});

test("the access log goes to syslog too, with or without a file, unless disabled", async (context) => {
  const receiver = await StreamReceiver.start(context);
  const folder = temporaryFolder(context);
  const [path, file] = [join(folder, "app.sock"), join(folder, "access.log")];
  const access = (): string[] => receiver.received.filter((message) => message.includes(" tsgun.access "));
  const run = async (...args: string[]): Promise<void> => {
    const to = ["--log-syslog", "--log-syslog-to", `tcp://127.0.0.1:${receiver.port}`];
    const command = startCommand(context, [ECHO, "-w", "1", "-b", `unix:${path}`, ...to, ...args]);
    await command.ready();
    for (let request = 0; request < 50; request++) await ask({ path }, `/${request}`);
    assert.equal((await command.end()).code, 0);
    const last = new RegExp(` ${command.pid} - - Shutting down: Master`);
    await until("the last line is there", () => receiver.received.some((message) => last.test(message)));
  };
  await run();
  await until("each request is there", () => access().length === 50);
  assert.match(access()[0] ?? "", /^<14>1 .* tsgun\.access \d+ - - .*"GET \/0 HTTP\/1\.1" 200 /);
  await run("--access-logfile", file);
  await until("each is there again", () => access().length === 100);
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  assert.deepEqual(
    access()
      .slice(50)
      .map((message) => message.replace(/^.*? - - /, "")),
    lines,
  );
  await run("--disable-redirect-access-to-syslog");
  assert.equal(access().length, 100);
});

test("syslog over TCP, as JSON: the message is the entry", async (context) => {
  const receiver = await StreamReceiver.start(context);
  const to = ["--log-syslog", "--log-syslog-to", `tcp://127.0.0.1:${receiver.port}`];
  const args = [ECHO, "-w", "2", "-b", "127.0.0.1:0", "--name", "my app", "--log-format", "json", ...to];
  const command = startCommand(context, args);
  await until("it serves", () => command.stderr.includes("Ready: generation 1"));
  assert.equal((await command.end()).code, 0);
  await until("the last one is there", () => receiver.received.at(-1)?.includes("Shutting down"));
  const messages = receiver.received.map((message) => {
    const [, , , tag, , , , ...rest] = message.split(" ");
    assert.equal(tag, "tsgun.my.app.error");
    return rest.join(" ");
  });
  assert.deepEqual(`${messages.join("\n")}\n`, command.stderr);
});

test("syslog over the system's own socket", { skip: missing("python3") }, async (context) => {
  const path = join(temporaryFolder(context), "log");
  const receiver = await DatagramReceiver.bind(path);
  context.after(() => receiver.close());
  const args = [ECHO, "-w", "1", "-b", "127.0.0.1:0", "--log-syslog", "--log-syslog-to", `unix://${path}`];
  const command = startCommand(context, args);
  await command.ready();
  assert.equal((await command.end()).code, 0);
  const last = (): string => receiver.received.at(-1)?.[0] ?? "";
  await until("the last one is there", () => last().endsWith("Shutting down: Master"));
  assert.match(
    last(),
    new RegExp(`^<14>\\w{3} [ \\d]\\d [\\d:]{8} tsgun\\.error\\[${command.pid}\\]: Shutting`),
  );
});

test("each process reports an unreachable syslog server once, and does not wait for it", async (context) => {
  const { path, bind } = socketIn(context);
  const to = `tcp://127.0.0.1:${await closedPort(context)}`;
  const command = startCommand(context, [
    THROWS,
    "-w",
    "1",
    "-b",
    bind,
    "--log-syslog",
    "--log-syslog-to",
    to,
  ]);
  await command.ready();
  for (let request = 0; request < 20; request++) assert.equal((await ask({ path }, "/")).status, 500);
  assert.equal((await command.end()).code, 0);
  assert.equal(command.lines(/\[WARNING\] The syslog server cannot be reached/).length, 2);
});

async function closedPort(context: TestContext): Promise<number> {
  const receiver = await StreamReceiver.start(context);
  const { port } = receiver;
  await receiver.stop();
  return port;
}

test("without koffi, datagrams to a Unix socket are refused in one line with the remedy, exit code 2", async (context) => {
  const folder = temporaryFolder(context);
  const without = join(folder, "without-koffi.cjs");
  writeFileSync(
    without,
    `const { Module } = require("node:module");
const find = Module._resolveFilename;
Module._resolveFilename = function (name, ...rest) {
  return find.call(this, name === "koffi" ? "koffi-is-not-installed" : name, ...rest);
};
`,
  );
  const env = { NODE_OPTIONS: `--require ${without}` };
  const args = [ECHO, "-b", "127.0.0.1:0", "--log-syslog", "--log-syslog-to"];
  const command = startCommand(context, [...args, "unix:///dev/log"], { env });
  assert.equal((await command.ended()).code, 2);
  assert.match(
    command.stderr,
    /^tsgun: log-syslog-to: datagrams to \/dev\/log need the package koffi: .*\n$/,
  );
  const stream = startCommand(context, [...args, `unix://${folder}/log#stream`], { env });
  await stream.ready();
  assert.equal((await stream.end()).code, 0);
});

test("content that breaks off is logged in one line without a stack, and not at all if the client has gone", async (context) => {
  const { path, bind } = socketIn(context);
  const command = startCommand(context, ["pool/echo.mjs", "-b", bind, "--body-timeout", "200ms"]);
  await command.ready();
  const send = (text: string) => {
    const client = connect(path, () => client.write(text));
    client.on("error", () => {});
    return client;
  };
  const gone = send("POST /gone HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf");
  await until("it has arrived", () => gone.bytesWritten > 0);
  gone.destroy();
  send("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf");
  await command.line(/\[WARNING\] Invalid content of request POST \/slow \(.+\): /);
  send("POST /broken HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n");
  await command.line(/\[WARNING\] Invalid content of request POST \/broken \(.+\): /);
  assert.equal((await command.end()).code, 0);
  assert.doesNotMatch(command.stderr, /\[ERROR\]|^ {4}at |\/gone/m);
});
