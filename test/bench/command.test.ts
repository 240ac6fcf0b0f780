/** The bench as a command: what it prints, its JSON, its mistakes. What it measures is not judged. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../support/command.ts";
import { missing } from "../support/component.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const LIMIT_MS = 120_000;
const NEEDS = {
  skip: process.platform === "linux" ? missing("wrk") : "the bench reads /proc",
};

function bench(...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const words = ["--import", "@oxc-node/core/register", join(ROOT, "bench", "run.ts"), ...args];
  // Where Debian's programs are, and no others: the same servers are missing on every machine.
  const env = { ...process.env, TSGUN_BENCH_SERVERS: "/nonexistent", PATH: "/usr/bin:/bin:/usr/sbin:/sbin" };
  const { status, stdout, stderr } = spawnSync(process.execPath, words, {
    cwd: ROOT,
    encoding: "utf8",
    timeout: LIMIT_MS,
    env,
  });
  return { code: status, stdout, stderr };
}

test("one round against node:http prints a table and writes the same as JSON", NEEDS, (context) => {
  const file = join(temporaryFolder(context), "result.json");
  const args = ["hello", "--servers", "node,tsgun", "--rounds", "1", "--seconds", "1", "--json", file];
  const { code, stdout, stderr } = bench(...args);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^servers on core \d+, load on core \d+$|^NOT PINNED: \S/m);
  assert.match(stdout, /^hello: .*11 header fields/m);
  assert.match(stdout, /^node +\d+\.\d\d .*±0%$/m);
  assert.match(stdout, /^tsgun +\d+\.\d\d .* \d\.\d\d \(\d\.\d\d to \d\.\d\d\)$/m);
  assert.match(stdout, /cpu of tsgun \/ node: \d\.\d\d, goal at most 0\.5: (met|missed)$/m);

  const document = JSON.parse(readFileSync(file, "utf8"));
  assert.equal(document.node, process.versions.node);
  const [scenario] = document.scenarios;
  assert.equal(scenario.name, "hello");
  assert.deepEqual(
    scenario.candidates.map((candidate: { name: string }) => candidate.name),
    ["node", "tsgun"],
  );
  const [node, tsgun] = scenario.candidates;
  for (const { rounds, figures } of [node, tsgun]) {
    assert.equal(rounds.length, 1);
    for (const key of ["cpu", "user", "system", "rate", "memory"]) {
      assert.ok(figures[key].median > 0, `${key} is ${figures[key].median}`);
      assert.equal(figures[key].median, rounds[0][key]);
    }
    assert.ok(Math.abs(figures.user.median + figures.system.median - figures.cpu.median) < 1e-6);
  }
  const [comparison] = scenario.comparisons;
  assert.equal(comparison.candidate, "tsgun");
  assert.equal(comparison.baseline, "node");
  assert.equal(comparison.ratio.median, tsgun.figures.cpu.median / node.figures.cpu.median);
});

test("a server that is missing is named with what to install, and the others are measured", NEEDS, () => {
  const { code, stdout, stderr } = bench("get", "--servers", "bun,canned", "--rounds", "1", "--json", "-");
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^ +bun left out: bun is missing: npm run bench:install$/m);
  const [scenario] = JSON.parse(stdout).scenarios;
  assert.deepEqual(
    scenario.candidates.map((candidate: { name: string }) => candidate.name),
    ["canned"],
  );
});

test("--list names servers and scenarios", () => {
  const { code, stdout } = bench("--list");
  assert.equal(code, 0);
  assert.match(stdout, /^ +node +plain node.*: \d+\.\d+\.\d+$/m);
  assert.match(stdout, /^ +pm2 .*: – pm2-runtime is missing: npm run bench:install$/m);
  assert.match(stdout, /^ +hono-text +Hono, text GET: hono-node, tsgun,/m);
});

for (const [mistake, args, line] of [
  ["an unknown scenario", ["helo"], /^bench: there is no scenario helo; there are: hello, .*\n$/],
  ["an unknown server", ["--servers", "nodde"], /^bench: there is no server nodde; there are: tsgun, .*\n$/],
  ["an unknown option", ["--round", "1"], /^bench: .*--round.*usage: bench .*\n$/],
  ["no number", ["--rounds", "0"], /^bench: --rounds takes a whole number from 1 on, not 0\n$/],
] as const) {
  test(`${mistake} is one line and exit code 2`, () => {
    const { code, stdout, stderr } = bench(...args);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, line);
  });
}
