/** A reload that changes the error log, and one that cannot and so changes nothing. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../../support/ask.ts";
import {
  FIXTURES,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "../../support/command.ts";
import { receiveUdp } from "../../support/syslog-servers.ts";

interface Configured {
  readonly command: RunningCommand;
  readonly path: string;
  /** Reads a file of the server's folder; empty if it does not exist. */
  read(name: string): string;
  /** Writes the settings and reloads the server. */
  reload(settings: object): void;
}

/** A server with its settings in a file. */
async function configured(context: TestContext, settings: object): Promise<Configured> {
  const folder = temporaryFolder(context);
  const path = join(folder, "app.sock");
  const read = (name: string): string =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8") : "";
  const write = (chosen: object): void =>
    writeFileSync(join(folder, "tsgun.config.json"), JSON.stringify({ workers: 1, ...chosen }));
  write(settings);
  const command = startCommand(context, [join(FIXTURES, "log/talks.mjs"), "-b", `unix:${path}`], {
    cwd: folder,
  });
  await until("it serves", () => /Ready: generation 1/.test(command.stderr + read("one.log")));
  const reload = (chosen: object): void => {
    write(chosen);
    command.kill("SIGHUP");
  };
  return { command, path, read, reload };
}

test("a reload changes file, format, level, capture and syslog for the arbiter and its new workers", async (context) => {
  const { port, received } = await receiveUdp(context);
  const { command, path, read, reload } = await configured(context, { errorLogfile: "one.log" });
  await ask({ path }, "/throw");
  assert.match(read("one.log"), /\[ERROR\] Error handling request GET \/throw/);
  reload({
    errorLogfile: "two.log",
    logFormat: "json",
    logLevel: "warning",
    captureOutput: true,
    logSyslog: true,
    disableRedirectAccessToSyslog: true,
    logSyslogTo: `udp://127.0.0.1:${port}`,
  });
  await until("the new worker has logged", () => read("two.log").includes("loaded: grün"));
  await until("the old worker is gone", () => command.workers().length === 1);
  const old = read("one.log");
  await ask({ path }, "/throw");
  await until("its error is there", () => read("two.log").includes("GET /throw"));
  assert.equal((await command.end()).code, 0);
  const entries = read("two.log")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { level: string });
  // The app's line and its error only: the arbiter's lines are below the level now.
  assert.deepEqual(
    entries.map(({ level }) => level),
    ["info", "error"],
  );
  assert.equal(read("one.log"), old);
  assert.match(old, /Handling signal: hup\n$/);
  await until("syslog has the same", () => received.length === entries.length);
});

test("HUP rotates: the arbiter writes to the new file, as do workers that stay because the reload fails", async (context) => {
  const { command, path, read, reload } = await configured(context, { errorLogfile: "one.log" });
  const moved = (name: string): void => renameSync(join(path, "..", "one.log"), join(path, "..", name));
  moved("one.log.1");
  reload({ errorLogfile: "one.log" });
  await until("the reload is logged in the new file", () => /Ready: generation 2/.test(read("one.log")));
  await until("the old worker has gone", () => command.workers().length === 1);
  assert.match(read("one.log.1"), /Handling signal: hup\n$/);
  moved("one.log.2");
  reload({ errorLogfile: "one.log", workers: "many" });
  await until("the failure is logged", () => /Reload failed, generation 2 stays/.test(read("one.log")));
  await until("the worker writes there", async () => {
    await ask({ path }, "/throw");
    return /Error handling request GET \/throw/.test(read("one.log"));
  });
  command.kill("SIGTTOU");
  await until("the arbiter writes there, too", () => /Handling signal: ttou/.test(read("one.log")));
  assert.match(read("one.log.2"), /Handling signal: hup\n$/);
});

test("a log file that cannot be opened fails the reload, and the old log stays in use", async (context) => {
  const { command, path, read, reload } = await configured(context, { errorLogfile: "one.log" });
  const workers = command.workers();
  reload({ errorLogfile: "missing/two.log", logFormat: "json" });
  const failure =
    /\[ERROR\] Reload failed, generation 1 stays: error-logfile: cannot write .*missing\/two\.log: ENOENT/;
  await until("the failure is logged", () => failure.test(read("one.log")));
  assert.deepEqual(command.workers(), workers);
  await ask({ path }, "/throw");
  assert.match(read("one.log"), /\[ERROR\] Error handling request GET \/throw/);
  assert.equal((await command.end()).code, 0);
  assert.match(read("one.log"), /\[INFO\] Shutting down: Master\n$/);
});

test("a reload that fails later restores the log", async (context) => {
  const { command, read, reload } = await configured(context, { errorLogfile: "one.log" });
  reload({ errorLogfile: "two.log", bootTimeout: "1ms" });
  await until("the reload has failed", () => /Reload failed.*not ready within 0\.001s/.test(read("two.log")));
  await until("its worker is gone", () => command.workers().length === 1);
  assert.equal((await command.end()).code, 0);
  assert.match(read("one.log"), /\[INFO\] Shutting down: Master\n$/);
});

test("a reload can switch between standard error and a file", async (context) => {
  const { command, read, reload } = await configured(context, {});
  reload({ errorLogfile: "one.log" });
  await until("the file has it", () => read("one.log").includes("Ready: generation 2"));
  reload({ errorLogfile: "-" });
  await command.ready(3);
  assert.equal((await command.end()).code, 0);
  assert.doesNotMatch(read("one.log"), /generation 3/);
  assert.match(command.stderr, /Shutting down: Master\n$/);
});
