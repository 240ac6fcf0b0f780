/**
 * Runs the tests: `node test/run.mjs [--system] [WORD…]`, or `node test/run.mjs --frameworks [NAME…]`.
 *
 * Without words it runs what a newcomer runs, in under five minutes on two cores: unit tests, each part of the server
 * through the built command, and one journey behind a real nginx. With `--system` it runs the rest: faults under load,
 * several hosts, systemd, whole applications, the commands of the manual. Words select the files of both whose path
 * contains one of them. With `--frameworks` it runs only the frameworks of `test/frameworks`, or the named ones.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, relative } from "node:path";

const FOLDER = import.meta.dirname;
const ROOT = join(FOLDER, "..");

/** The limit for a test file; only one that hangs reaches it. */
const FILE_TIMEOUT_MS = 5 * 60_000;

/**
 * How many files run at a time. A file waits for its servers for half of its time, so one more than there are cores
 * keeps the cores busy; more than four would only make the waits longer.
 */
const CONCURRENCY = Math.min(4, availableParallelism() + 1);

/** Path prefixes, below this folder, of the system tests. */
const SYSTEM = [
  "arbiter/examination",
  "arbiter/reload/file-watch",
  "arbiter/sockets/socket-file",
  "arbiter/sockets/worker-bind",
  "arbiter/upgrade/upgrade.test",
  "arbiter/workers/boot-failure",
  "bench/command",
  "budget/",
  "chaos/arbiter-memory",
  "chaos/chaos",
  "cli/top/journey",
  "cli/top/terminal",
  "conformance/bun",
  "conformance/http2-listener",
  "conformance/listener",
  "control/blocked",
  "control/inspection",
  "control/openapi",
  "control/ps",
  "deploy/doctor/command",
  "docs/commands",
  "e2e/",
  "examples",
  "faults/",
  "http/proxies/",
  "log/access-file",
  "log/full-disk",
  "package.test",
  "records/deaths",
  "server/channel/socket-only",
  "server/slow-readers",
  "server/http2/listener-frameworks",
  "server/front/over-tls",
  "server/front/proxy-tls",
  "systemd/private-systemd",
  "systemd/service",
  "worker/channels",
  "worker/framework-habits",
];
/** The path prefix of what only `--frameworks` runs. */
const FRAMEWORKS = "frameworks/";
/** Installing and building them all takes this long where no earlier run has. */
const FRAMEWORKS_TIMEOUT_MS = 60 * 60_000;
/** The end-to-end journey that runs without `--system`. */
const JOURNEY = "e2e/nginx.test.ts";

const words = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const wantsSystem = process.argv.includes("--system");
const wantsFrameworks = process.argv.includes("--frameworks");

function isWanted(file) {
  if (wantsFrameworks || file.startsWith(FRAMEWORKS)) return wantsFrameworks && file.startsWith(FRAMEWORKS);
  if (words.length > 0) return words.some((word) => join("test", file).includes(word));
  const isSystem = file !== JOURNEY && SYSTEM.some((prefix) => file.startsWith(prefix));
  return isSystem === wantsSystem;
}

const files = readdirSync(FOLDER, { recursive: true })
  .filter((file) => file.endsWith(".test.ts") && !file.startsWith("fixtures") && isWanted(file))
  .map((file) => relative(ROOT, join(FOLDER, file)))
  .sort();

if (files.length === 0) {
  console.error(`no test file matches ${words.join(", ")}`);
  process.exit(1);
}

const startedAt = performance.now();
// Servers that tests start keep their state here, not in the user's own folder.
const state = mkdtempSync(join(tmpdir(), "tsgun-state-"));
const child = spawn(
  process.execPath,
  [
    "--import",
    "@oxc-node/core/register",
    "--test",
    "--test-reporter=spec",
    `--test-concurrency=${CONCURRENCY}`,
    `--test-timeout=${wantsFrameworks ? FRAMEWORKS_TIMEOUT_MS : FILE_TIMEOUT_MS}`,
    ...files,
  ],
  {
    cwd: ROOT,
    stdio: "inherit",
    env: {
      ...process.env,
      XDG_STATE_HOME: state,
      ...(wantsFrameworks && { TSGUN_TEST_FRAMEWORKS: words.join(" ") }),
    },
  },
);
child.once("exit", (code, signal) => {
  process.exitCode = signal === null ? (code ?? 1) : 1;
  rmSync(state, { recursive: true, force: true });
  // To standard error: the runner's summary stays the end of standard output.
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.error(`${files.length} test files in ${Math.floor(seconds / 60)} min ${seconds % 60} s`);
});
