/** The access log's file through the built command: rotated under load, changed by a reload, given to its user. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ask } from "../support/ask.ts";
import { FIXTURES, startCommand, temporaryFolder, until } from "../support/command.ts";
import { type Exchange, Load } from "../support/load.ts";

const APP = `${join(FIXTURES, "log/gateway.mjs")}:app`;

/** All lines of the file and of those it was renamed to. */
function allLines(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith("access.log"))
    .flatMap((name) => {
      const text = readFileSync(join(folder, name), "latin1");
      assert.ok(text === "" || text.endsWith("\n"), `${name} ends with a whole line`);
      return text.split("\n").slice(0, -1);
    });
}

function numbered(number: number): Exchange {
  const fields = `Host: x\r\nUser-Agent: load "${number}"\r\n`;
  return {
    label: `request ${number}`,
    method: "GET",
    parts: [Buffer.from(`GET /plain?${number} HTTP/1.1\r\n${fields}\r\n`)],
    check: (answer) => (answer.status === 200 ? undefined : `status ${answer.status}`),
  };
}

const WHOLE =
  /^127\.0\.0\.1 - - \[[^\]]+\] "GET \/plain\?(\d+) HTTP\/1\.1" 200 6 "-" "load \\x22(\d+)\\x22"$/;

/** Each number once, in a line that is whole. */
function assertComplete(lines: readonly string[], requests: number): void {
  const seen = new Uint8Array(requests);
  for (const line of lines) {
    const match = WHOLE.exec(line);
    assert.ok(match !== null, `not a whole line: ${JSON.stringify(line)}`);
    assert.equal(match[1], match[2]);
    const number = Number(match[1]);
    assert.equal(seen[number], 0, `request ${number} has two lines`);
    seen[number] = 1;
  }
  assert.equal(lines.length, requests);
}

test("50,000 requests over 4 workers, a rotation every 200 ms, TERM at the end: 50,000 whole lines", async (context) => {
  const requests = 50_000;
  const folder = temporaryFolder(context);
  const file = join(folder, "access.log");
  const command = startCommand(context, [APP, "-w", "4", "-b", "127.0.0.1:0", "--access-logfile", file]);
  await command.ready();
  const load = new Load(
    { port: await command.port() },
    { mode: "keep-alive", make: numbered, clients: 32, requests },
  );
  let rotations = 0;
  const done = load.finished().then(() => true);
  while (!(await Promise.race([done, pause(200, false)]))) {
    rotations += 1;
    renameSync(file, `${file}.${rotations}`);
    command.kill("SIGUSR1");
    await until("there is a new file", () => existsSync(file));
  }
  assert.deepEqual(await command.end(), { code: 0, signal: null });
  load.assertNothingLost(requests);
  assert.ok(rotations >= 3, `${rotations} rotations`);
  assertComplete(allLines(folder), requests);
  assert.doesNotMatch(command.stderr, /access log/);
});

test("a slow pipe gets whole lines of all workers, each once", async (context) => {
  const requests = 5000;
  const folder = temporaryFolder(context);
  const args = [APP, "-w", "4", "-b", "127.0.0.1:0", "--access-logfile", "-"];
  const command = startCommand(context, args);
  await command.ready();
  const load = new Load(
    { port: await command.port() },
    { mode: "keep-alive", make: numbered, clients: 16, requests },
  );
  const output = command.process.stdout as NodeJS.ReadableStream;
  output.pause();
  await load.more(2000);
  output.resume();
  await load.finished();
  assert.deepEqual(await command.end(), { code: 0, signal: null });
  load.assertNothingLost(requests);
  assert.ok(command.stdout.endsWith("\n"));
  assertComplete(command.stdout.split("\n").slice(0, -1), requests);
  assert.ok(existsSync(folder));
});

test("a reload changes format and file; an unwritable file changes nothing", async (context) => {
  const folder = temporaryFolder(context);
  const [one, two] = [join(folder, "access.log"), join(folder, "access.log.two")];
  const config = join(folder, "tsgun.config.json");
  writeFileSync(config, JSON.stringify({ accessLogfile: one, accessLogformat: "%(m)s %(U)s" }));
  const command = startCommand(context, [APP, "-b", "127.0.0.1:0", "-c", config]);
  await command.ready();
  const target = { port: await command.port() };
  await ask(target, "/before");
  await until("the line is there", () => readFileSync(one, "utf8") === "GET /before\n");
  writeFileSync(config, JSON.stringify({ accessLogfile: two, accessLogformat: "%(U)s %(s)s" }));
  command.kill("SIGHUP");
  await command.ready(2);
  await ask(target, "/after");
  await until("the line is there", () => readFileSync(two, "utf8") === "/after 200\n");
  writeFileSync(config, JSON.stringify({ accessLogfile: two, accessLogformat: "%(status)s" }));
  command.kill("SIGHUP");
  await command.line(/access-logformat: there is no atom %\(status\)s; did you mean %\(s\)s\?/);
  writeFileSync(config, JSON.stringify({ accessLogfile: join(folder, "none/access.log") }));
  command.kill("SIGHUP");
  await command.line(/access-logfile: cannot write .*none\/access\.log: ENOENT/);
  await ask(target, "/still");
  await until("the line is there", () => readFileSync(two, "utf8") === "/after 200\n/still 200\n");
  assert.equal((await command.end()).code, 0);
  assert.equal(readFileSync(one, "utf8"), "GET /before\n");
});

async function refused(context: TestContext, args: readonly string[], message: RegExp): Promise<void> {
  const command = startCommand(context, [APP, "-b", "127.0.0.1:0", ...args]);
  assert.equal((await command.ended()).code, 2);
  assert.match(command.stderr, message);
}

test("an invalid setting is one line, exit code 2", async (context) => {
  const folder = temporaryFolder(context);
  const log = ["--access-logfile", join(folder, "access.log")];
  await refused(
    context,
    [...log, "--access-logformat", "%(sattus)s"],
    /^tsgun: access-logformat: there is no atom %\(sattus\)s; did you mean %\(s\)s\?\n$/,
  );
  await refused(
    context,
    ["--access-logfile", join(folder, "none/access.log")],
    /^tsgun: access-logfile: cannot write .*none\/access\.log: ENOENT.*\n$/,
  );
  execFileSync("mkfifo", [join(folder, "pipe")]);
  await refused(
    context,
    ["--access-logfile", join(folder, "pipe")],
    /^tsgun: access-logfile: cannot write .*pipe: no process reads this pipe\n$/,
  );
});

test("off by default: nothing is written to standard output", async (context) => {
  const command = startCommand(context, [APP, "-b", "127.0.0.1:0"]);
  await command.ready();
  await ask({ port: await command.port() }, "/plain");
  assert.equal((await command.end()).code, 0);
  assert.equal(command.stdout, "");
});
