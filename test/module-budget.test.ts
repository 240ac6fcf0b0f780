/**
 * The number of modules that a server loads until it is ready. Each costs start-up time and memory in every process,
 * and a single import in the wrong place brings dozens of them, which the build bundles. Lower a budget when you load less; to raise one, say in
 * the commit what the new modules are for and why they cannot be loaded later.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FIXTURES, startCommand, temporaryFolder, until } from "./support/command.ts";

interface Budget {
  readonly files: number;
  /** All of them together; what a file grows by is bundled into it. */
  readonly kilobytes: number;
}

/** Files, ours and those of packages, by the program that loads them. */
const BUDGETS: { readonly [program: string]: Budget } = {
  // The last two are what looks at the workers, loaded a second after the start.
  "cli/main.js": { files: 7, kilobytes: 580 },
  "worker/main.js": { files: 5, kilobytes: 425 },
  // It examines a worker that is blocked, and whose release a deploy may have deleted: nothing can be loaded later.
  "worker/watchdog/thread.cjs": { files: 1, kilobytes: 40 },
};

/**
 * Modules that are loaded a moment after the start, which does not pay for them: counting without system calls, and the
 * arbiter's watch of its control group.
 */
const LATE = /\/chunks\/(vitals|shared-memory|group-pressure)\.js$|\/koffi/;
const LATE_BUDGET: Budget = { files: 6, kilobytes: 90 };

interface Coverage {
  readonly result: readonly { readonly url: string }[];
}

/** Looks in a row, with a moment between them, that find a process idle until it counts as idle. */
const IDLE_LOOKS = 20;

/** Waits until every thread of a process sleeps: one that still loads modules runs, or waits for a thread that reads. */
async function idle(pid: number): Promise<void> {
  const threads = `/proc/${pid}/task`;
  let looks = 0;
  await until("every thread sleeps", () => {
    const sleeps = readdirSync(threads).every((thread) =>
      /\) S [^)]*$/.test(readFileSync(join(threads, thread, "stat"), "latin1")),
    );
    looks = sleeps ? looks + 1 : 0;
    return looks === IDLE_LOOKS;
  });
}

test("arbiter, worker and watchdog of a gateway app load no more modules than their budgets allow", {
  skip: process.platform === "linux" ? false : "the threads of a process are seen in /proc",
}, async (context) => {
  const folder = temporaryFolder(context);
  const app = join(FIXTURES, "pool", "echo.mjs");
  const command = startCommand(
    context,
    [app, "-b", "127.0.0.1:0", "--control-socket", join(folder, "c.ctl")],
    {
      // V8 writes the URL of every script that a thread has compiled.
      env: { NODE_V8_COVERAGE: join(folder, "coverage") },
    },
  );
  await command.ready();
  // The server does not wait for the watchdog's thread, and one that is ended while it loads leaves no coverage.
  for (const pid of command.workers()) await idle(pid);
  assert.equal((await command.end()).code, 0);

  const loaded = new Map<string, string[]>();
  for (const name of readdirSync(join(folder, "coverage"))) {
    const { result } = JSON.parse(readFileSync(join(folder, "coverage", name), "utf8")) as Coverage;
    const files = result.map(({ url }) => url).filter((url) => url.startsWith("file:") && !url.endsWith(app));
    const program = files[0]?.replace(/^.*\/dist\//, "");
    if (program !== undefined) loaded.set(program, files);
  }
  assert.deepEqual([...loaded.keys()].sort(), Object.keys(BUDGETS).sort());
  for (const [program, files] of loaded) {
    assertWithin(
      program,
      files.filter((file) => !LATE.test(file)),
      BUDGETS[program] as Budget,
    );
    assertWithin(
      `${program} later`,
      files.filter((file) => LATE.test(file)),
      LATE_BUDGET,
    );
  }
});

const CHUNKS = join(import.meta.dirname, "..", "dist", "chunks");

/** The chunks that one imports: for certain, or when it needs them. */
function imported(chunk: string, pattern: RegExp): string[] {
  return [...readFileSync(join(CHUNKS, chunk), "utf8").matchAll(pattern)].map(([, name]) => name as string);
}

function reach(chunk: string): Set<string> {
  const reached = new Set([chunk]);
  for (const each of reached)
    for (const name of imported(each, /^import (?:.* from )?'\.\/(.+\.js)';/gm)) reached.add(name);
  return reached;
}

test("what an arbiter loads late does not bring the chunk of the worker", () => {
  assert.ok(reach("arbiter.js").has("common.js"));
  const late = ["arbiter.js", "control.js", "common.js"].flatMap((chunk) =>
    imported(chunk, /\bimport\('\.\/(.+?\.js)'\)/g),
  );
  assert.ok(late.includes("sampler.js") && late.includes("group-pressure.js"), late.join());
  const bring = new Set(late.filter((chunk) => reach(chunk).has("worker.js")));
  // Three are commands; a configuration file is loaded as an app is.
  assert.deepEqual([...bring].sort(), ["completion.js", "config-file.js", "doctor.js", "init.js"]);
});

function assertWithin(program: string, files: readonly string[], budget: Budget): void {
  const kilobytes = files.reduce((sum, file) => sum + statSync(new URL(file)).size, 0) / 1000;
  assert.ok(
    files.length <= budget.files && kilobytes <= budget.kilobytes,
    `${program} loads ${files.length} files of ${kilobytes} kB, its budget is ${JSON.stringify(budget)}:\n${files.join("\n")}`,
  );
}
