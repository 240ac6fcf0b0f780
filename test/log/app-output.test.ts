/** The output of apps goes past the arbiter: it neither reads nor writes a byte of it, and its memory does not grow. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { requestControl } from "../../src/control/control-client.ts";
import { ask } from "../support/ask.ts";
import { FIXTURES, startCommand, temporaryFolder, until } from "../support/command.ts";

/** In each of two answers of a round. */
const LINES = 100_000;
const ROUNDS = 5;
const ALL = 2 * LINES * ROUNDS;

/** The shortest line, of a process whose id has one digit: the ids of a busy machine are of any length. */
const SHORTEST = "1 line 0 of the app's own output\n".length;

interface Use {
  /** Bytes read and written by system calls. */
  readonly passed: number;
  readonly memory: number;
}

function useOf(pid: number): Use {
  const io = readFileSync(`/proc/${pid}/io`, "utf8");
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const number = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1]);
  return {
    // It also reads, from the system: lines that passed through it would be written again.
    passed: number(io, /wchar: (\d+)/),
    memory: number(status, /VmRSS:\s+(\d+) kB/) * 1024,
  };
}

test("a million lines do not make the arbiter grow", async (context) => {
  if (process.platform !== "linux") return context.skip("what passes through a process is seen in /proc");
  // A file takes each write whole. A full pipe does not, and node joins the lines that wait for one.
  const file = join(temporaryFolder(context), "stdout");
  const control = join(temporaryFolder(context), "control");
  const args = [
    join(FIXTURES, "log/prints.mjs"),
    "-b",
    "127.0.0.1:0",
    "-w",
    "2",
    "--control-socket",
    control,
  ];
  const command = startCommand(context, args, { prefix: ["sh", "-c", `exec "$0" "$@" >'${file}'`] });
  await command.ready();
  const target = { port: await command.port() };
  await ask(target, "/?1");
  // The arbiter loads what reports on the server after its start.
  for (const path of ["/stats", "/history", "/requests"])
    await until(`${path} answers`, async () => (await requestControl(control, "GET", path)).status === 200);
  const before = useOf(command.pid);
  for (let round = 0; round < ROUNDS; round++)
    await Promise.all([ask(target, `/?${LINES}`), ask(target, `/?${LINES}`)]);
  const printed = readFileSync(file, "utf8");
  const lines = printed.split("\n").slice(0, -1);
  assert.equal(lines.length, 1 + ALL);
  const after = useOf(command.pid);
  assert.ok(printed.length > ALL * SHORTEST, `${printed.length} characters`);
  const passed = after.passed - before.passed;
  assert.ok(passed < printed.length / 20, `${passed} bytes of ${printed.length}`);
  assert.ok(after.memory - before.memory < 8_000_000, `${after.memory - before.memory} bytes more memory`);
  const strange = lines.find((line) => !/^\d+ line \d+ of the app's own output$/.test(line));
  assert.equal(strange, undefined);
  assert.equal((await command.end()).code, 0);
});

test("an output without a reader ends no worker, and is reported once", async (context) => {
  for (const name of ["stdout", "stderr"] as const) {
    const app = [join(FIXTURES, "log/prints.mjs"), "-b", "127.0.0.1:0"];
    const log = join(temporaryFolder(context), "error.log");
    const command = startCommand(context, [...app, "--error-logfile", log]);
    const lines = (): string[] => readFileSync(log, "utf8").split("\n");
    const find = (pattern: RegExp): Promise<string> =>
      until(`the log has ${pattern}`, () => lines().find((line) => pattern.test(line)));
    await find(/Ready: /);
    const target = { port: Number(/:(\d+) \(/.exec(await find(/Listening at: /))?.[1]) };
    const workers = command.workers();
    command.process[name]?.destroy();
    for (let count = 0; count < 5; count++) assert.equal((await ask(target, `/${name}`)).status, 200);
    await find(/\[WARNING\] The standard \w+ cannot be written \(EPIPE\): the app's output to it is lost/);
    assert.deepEqual(command.workers(), workers);
    assert.equal((await command.end()).code, 0);
    assert.equal(lines().filter((line) => line.includes("cannot be written")).length, 1);
  }
});
