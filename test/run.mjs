/**
 * Runs the tests: every `*.test.ts` below this folder, or those whose path contains one of the given
 * words. A few files run at a time: they start servers of their own, and the machine may be small.
 */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";

const FOLDER = import.meta.dirname;
const ROOT = join(FOLDER, "..");

/** No test takes this long; one that does hangs. In milliseconds. */
const TIMEOUT = 5 * 60_000;

const words = process.argv.slice(2);
const files = readdirSync(FOLDER, { recursive: true })
  .filter((file) => file.endsWith(".test.ts") && !file.startsWith("fixtures"))
  .map((file) => relative(ROOT, join(FOLDER, file)))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();

if (files.length === 0) {
  console.error(`no test file matches ${words.join(", ")}`);
  process.exit(1);
}

const child = spawn(
  process.execPath,
  [
    "--import",
    "@oxc-node/core/register",
    "--test",
    "--test-reporter=spec",
    `--test-concurrency=${Math.max(2, Math.min(4, availableParallelism()))}`,
    `--test-timeout=${TIMEOUT}`,
    ...files,
  ],
  { cwd: ROOT, stdio: "inherit" },
);
child.once("exit", (code, signal) => {
  process.exitCode = signal === null ? (code ?? 1) : 1;
});
