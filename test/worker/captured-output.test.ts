/** `--capture-output` through the built command: the app's own output in the error log. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import { FIXTURES, type RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";

interface Entry {
  readonly msg: string;
  readonly level: string;
  readonly stream?: string;
  readonly slot?: number;
}

interface Talking {
  readonly command: RunningCommand;
  /** Has the app print something. */
  print(what: string): Promise<void>;
  /** The content of the log file now. */
  log(): string;
  readonly file: string;
}

async function talking(context: TestContext, ...args: string[]): Promise<Talking> {
  const folder = temporaryFolder(context);
  const file = join(folder, "error.log");
  const path = join(folder, "app.sock");
  const app = join(FIXTURES, "log/talks.mjs");
  const fixed = [app, "-w", "1", "-b", `unix:${path}`, "--error-logfile", file];
  const command = startCommand(context, [...fixed, ...args], { cwd: folder });
  const log = (): string => (existsSync(file) ? readFileSync(file, "utf8") : "");
  await until("it serves", () => log().includes("Ready: generation 1"));
  const print = async (what: string): Promise<void> => {
    assert.equal((await ask({ path }, `/${what}`)).status, 200);
  };
  return { command, print, log, file };
}

/** The app's lines, of a log in JSON. */
function captured(log: string): [string | undefined, string][] {
  const entries = log
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Entry);
  return entries.filter(({ stream }) => stream !== undefined).map(({ stream, msg }) => [stream, msg]);
}

test("as JSON, each line that the app prints is an entry, however it was printed", async (context) => {
  const { command, print, log } = await talking(context, "--capture-output", "--log-format", "json");
  for (const what of ["console", "pieces", "bytes", "callback", "thread", "partial"]) await print(what);
  assert.equal((await command.end()).code, 0);
  assert.deepEqual(captured(log()), [
    ["stdout", "loaded: grün"],
    ["stdout", "to the output: one"],
    ["stderr", "to the error output"],
    ["stderr", "in two lines"],
    ["stdout", "a line in three pieces"],
    ["stdout", "grün €"],
    ["stdout", "called"],
    ["stdout", "from a thread"],
    ["stdout", "the last word"],
  ]);
  assert.equal(command.stdout + command.stderr, "");
});

test("as text, the lines are as the app prints them, at every level, in a new file after USR1", async (context) => {
  const { command, print, log, file } = await talking(context, "--capture-output");
  await print("console");
  assert.match(log(), /\nto the output: one\nto the error output\nin two lines\n/);
  renameSync(file, `${file}.1`);
  command.kill("SIGUSR1");
  await until("the worker prints to a new file", async () => {
    await print("pieces");
    return log().includes("a line in three pieces\n");
  });
  assert.equal((await command.end()).code, 0);
  assert.equal(command.stdout + command.stderr, "");
});

test("without it, the app's output is the server's", async (context) => {
  const { command, print, log } = await talking(context);
  await print("console");
  assert.equal((await command.end()).code, 0);
  assert.equal(command.stdout, "loaded: grün\nto the output: one\n");
  assert.equal(command.stderr, "to the error output\nin two lines\n");
  assert.doesNotMatch(log(), /to the output/);
});

for (const [what, error] of [
  ["uncaught", "Uncaught exception: the worker exits"],
  ["rejection", "Unhandled rejection: the worker exits"],
] as const) {
  test(`an error that ends the worker is in the log: ${what}`, async (context) => {
    const { command, print, log } = await talking(context, "--log-format", "json");
    // The answer may not get out any more.
    await print(what).catch(() => {});
    await until("the worker is replaced", () => log().match(/Booting worker/g)?.length === 2);
    const entries = log()
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Entry & { err?: { message: string; stack: string } });
    const entry = entries.find(({ msg }) => msg === error);
    assert.equal(entry?.level, "critical");
    assert.equal(entry?.slot, 1);
    assert.match(entry?.err?.stack ?? "", /not (?:caught|awaited)\n {4}at /);
    assert.ok(entries.some(({ msg }) => /exited with code 1 \(see tsgun why \d+\)$/.test(msg)));
    assert.equal(command.stderr, "");
  });
}
