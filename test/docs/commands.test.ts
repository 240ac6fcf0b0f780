/** Runs every command of the README and the quickstart as written, and compares its output with the page's. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { until } from "../support/command.ts";
import { ROOT, readPage } from "../support/page.ts";
import { noPrivateMachine, PrivateMachine } from "../support/private-machine.ts";
import { patternOf, Reader } from "../support/reader.ts";

/** Lines that cannot run as written, and their replacements. */
const INSTEAD: ReadonlyMap<string, string> = new Map([
  // Installing the package starts nginx. There is no network here, and nginx is installed.
  ["sudo apt-get install nginx", "nginx"],
  // The clone is a copy of this tree with its installed packages.
  ["npm ci && npm start", "cd ~/clone && npm start"],
]);

/** Lines of a `sh` or `console` block that are not run, and why. */
const NOT_RUN: ReadonlyMap<string, string> = new Map([["npm ci && npm test", "it runs this test"]]);

const REGISTRY = 4873;
const skip = noPrivateMachine();

const used = new Set<string>();
let folder: string;
let tarball: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "tsgun-docs-"));
  const words = ["pack", "--ignore-scripts", "--json", "--pack-destination", folder];
  const { stdout } = spawnSync("npm", words, { cwd: ROOT, encoding: "utf8" });
  const [packed] = JSON.parse(stdout) as [{ filename: string }];
  tarball = packed.filename;
});

after(() => rmSync(folder, { recursive: true, force: true }));

for (const path of ["README.md", "docs/quickstart.md"]) {
  test(`${path} does what the page shows`, { skip }, async (t) => {
    const home = join(folder, path.replaceAll(/\W/g, "-"));
    makeHome(home, join(folder, tarball));
    const machine = await PrivateMachine.boot(home);
    t.after(() => machine.stop());
    const env = environment();
    await startRegistry(machine, env);
    const instead = new Map(INSTEAD);
    for (const line of NOT_RUN.keys()) instead.set(line, "true");
    const reader = new Reader({ machine, home, env, instead, typed: (line) => used.add(line) });
    for (const block of readPage(path).blocks) {
      // The blocks after a failed one depend on it: one error is enough.
      await reader.follow(block).catch((error: Error) => {
        throw new Error(`${path}:${block.line}: ${error.message}`, { cause: error });
      });
    }
    await reader.leave();
  });
}

test("every exception is for a line on one of the pages", { skip }, () => {
  assert.deepEqual(
    [...INSTEAD.keys(), ...NOT_RUN.keys()].filter((line) => !used.has(line)),
    [],
  );
});

/** Creates the reader's machine: a sudo that only runs its command, the packed package, and a clone. */
function makeHome(home: string, tarball: string): void {
  mkdirSync(join(home, ".bin"), { recursive: true });
  chmodSync(dirname(home), 0o755);
  writeFileSync(join(home, ".bin", "sudo"), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
  cpSync(tarball, join(home, ".tsgun.tgz"));
  const files = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isFile());
  for (const path of ["scripts", "src", "examples/hello", ...files.map(({ name }) => name)]) {
    cpSync(join(ROOT, path), join(home, "clone", path), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(home, "clone", "node_modules"));
}

function environment(): Record<string, string> {
  return {
    HOME: "/home/you",
    PATH: `/home/you/.bin:${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`,
    npm_config_registry: `http://127.0.0.1:${REGISTRY}`,
    npm_config_audit: "false",
    npm_config_fund: "false",
    npm_config_update_notifier: "false",
  };
}

async function startRegistry(machine: PrivateMachine, env: Record<string, string>): Promise<void> {
  const registry = join(ROOT, "test", "support", "local-registry.ts");
  const node = `${process.execPath} --import @oxc-node/core/register`;
  const script = `cd ${ROOT} && exec ${node} ${registry} ${REGISTRY} /home/you/.tsgun.tgz`;
  const child = machine.spawn(["sh", "-c", script], env);
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  await until("the registry listens", () => output.includes("ready") || child.exitCode !== null);
}

test("only times, versions and process ids may differ from the page", () => {
  const line = "[2026-11-22 18:55:16 +0000] [4711] [INFO] Starting tsgun 0.1.0";
  assert.match("[2031-01-02 03:04:05 -0130] [7] [INFO] Starting tsgun 1.22.3", patternOf(line));
  assert.doesNotMatch("[2031-01-02 03:04:05 -0130] [7] [INFO] Starting tsgun", patternOf(line));
  assert.doesNotMatch("generation 3 serves with 2 workers", patternOf("generation 2 serves with 2 workers"));
  assert.doesNotMatch("http://127.0.0.1:8001", patternOf("http://127.0.0.1:8000"));
  assert.match("added 95 packages in 12s", patternOf("added … packages in 4s"));
});
