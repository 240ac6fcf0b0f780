import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, lchownSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import type { DaemonOutcome } from "../../../src/arbiter/upgrade/daemon.ts";
import { exists } from "../../../src/system/process-state.ts";

const FIXTURE = join(import.meta.dirname, "../../fixtures/daemon/command.ts");
const DEADLINE_MS = 20_000;

type Command = ChildProcessByStdio<null, Readable, null>;

function start(way: string, log = "", env: NodeJS.ProcessEnv = {}, extra: number[] = []): Command {
  return spawn(process.execPath, ["--import", "@oxc-node/core/register", FIXTURE, way, log], {
    stdio: ["ignore", "pipe", "inherit", ...extra],
    env: { ...process.env, ...env },
  }) as unknown as Command;
}

async function outcomeOf(t: TestContext, command: Command): Promise<DaemonOutcome & { code: number | null }> {
  let text = "";
  command.stdout.on("data", (chunk) => {
    text += chunk;
  });
  const [code] = (await once(command, "close")) as [number | null];
  const outcome = JSON.parse(text) as DaemonOutcome;
  t.after(() => {
    // The daemon leads its session: signal all of it.
    if (exists(-outcome.pid)) process.kill(-outcome.pid, "SIGKILL");
  });
  return { ...outcome, code };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + DEADLINE_MS; !holds(); ) {
    assert.ok(Date.now() < deadline, `waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function logFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "tsgun-daemon-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, "app.log");
}

test("ready: the command exits with 0, and the daemon continues in its own session and prints to the log", async (t) => {
  const log = logFile(t);
  const { pid, code, exitCode, message } = await outcomeOf(t, start("ready", log));
  assert.deepEqual([code, exitCode, message], [0, 0, undefined]);
  assert.ok(exists(pid));
  const text = readFileSync(log, "utf8");
  assert.match(text, /^the daemon speaks 0 false$/m);
  if (process.platform === "linux") assert.match(text, new RegExp(`^session ${pid} ${pid}$`, "m"));
});

test("a child that the daemon started before it was ready does not delay the command", async (t) => {
  const { pid, code } = await outcomeOf(t, start("child first"));
  assert.equal(code, 0);
  assert.ok(exists(pid));
});

test("failed: the command exits with the daemon's reason and exit code", async (t) => {
  const outcome = await outcomeOf(t, start("failed"));
  assert.equal(outcome.code, 4);
  assert.equal(outcome.message, "the app threw\n    at app.ts:1:1");
});

for (const [way, code, how] of [
  ["exit", 7, "exited with code 7"],
  ["silent", 1, "exited with code 0"],
  ["kill", 1, "was killed by SIGKILL"],
] as const) {
  test(`a daemon that reports nothing and ${how} has failed`, async (t) => {
    const outcome = await outcomeOf(t, start(way));
    assert.equal(outcome.code, code);
    assert.equal(outcome.message, `the daemon ${how} before it was ready: start without --daemon to see why`);
  });
}

test("a daemon that cannot be started fails the command with the reason", async () => {
  const command = start("too large");
  let text = "";
  command.stdout.on("data", (chunk) => {
    text += chunk;
  });
  assert.deepEqual(await once(command, "close"), [1, null]);
  const why = "the environment is too large: the variable LARGE alone has 200000 bytes (E2BIG)";
  assert.equal(JSON.parse(text).message, `the daemon cannot be started: ${why}`);
});

test("interrupting the command stops the booting daemon", async (t) => {
  const log = logFile(t);
  const command = start("wait", log);
  const ended = outcomeOf(t, command);
  await until("the daemon boots", () => existsSync(log) && readFileSync(log, "utf8").includes("booting"));
  command.kill("SIGINT");
  const outcome = await ended;
  assert.deepEqual([outcome.code, outcome.message], [1, "stopped while it was booting"]);
  await until("the daemon is gone", () => !exists(outcome.pid));
});

test("sockets passed by systemd are passed on to the daemon", async (t) => {
  const server = createServer();
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const fd = (server as unknown as { _handle: { fd: number } })._handle.fd;
  const log = logFile(t);
  const env = { LISTEN_FDS: "1", LISTEN_PID: "1" };
  await outcomeOf(t, start("ready", log, env, [fd]));
  assert.match(readFileSync(log, "utf8"), /^the daemon speaks 1 false$/m);
});

test("a log file that is another user's link is not opened", {
  skip: process.geteuid?.() !== 0 && "only root can give a link to another user",
}, async (t) => {
  const { startDaemon } = await import("../../../src/arbiter/upgrade/daemon.ts");
  const log = logFile(t);
  symlinkSync(`${log}.victim`, log);
  lchownSync(log, 65_534, 65_534);
  await assert.rejects(startDaemon({ args: [], script: FIXTURE, stderr: log }), {
    name: "FatalError",
    message: `cannot open the log file ${log}: the symbolic link ${log} is another user's (uid 65534): remove it, or name another file`,
  });
  assert.ok(!existsSync(`${log}.victim`));
});

test("a log file that cannot be opened is reported before the start", async () => {
  const { startDaemon } = await import("../../../src/arbiter/upgrade/daemon.ts");
  await assert.rejects(startDaemon({ args: [], script: FIXTURE, stdout: "/nonexistent/app.log" }), {
    name: "FatalError",
    message: "cannot open the log file /nonexistent/app.log (ENOENT): check its directory",
  });
});
