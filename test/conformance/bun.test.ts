/** The suite, and the second server, on Bun: neither needs Node itself, only its modules. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { planned } from "../../src/conformance/index.ts";
import { installPackages } from "../support/npm-packages.ts";
import { EXAMPLE_LACKS, startExample } from "./example-subject.ts";

const DEADLINE_MS = 120_000;

test("the second server passes the suite on Bun, with the same cases skipped as on Node", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tsgun-bun-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const name = `@oven/bun-${process.platform}-${process.arch === "arm64" ? "aarch64" : process.arch}`;
  if (!installPackages(t, folder, name)) return;
  const bun = join(folder, "node_modules", name, "bin", "bun");
  const script = join(import.meta.dirname, "bun-run.ts");
  const { stdout, stderr, status } = spawnSync(bun, [script], { encoding: "utf8", timeout: DEADLINE_MS });
  assert.equal(status, 0, stderr);
  const { passed, skipped, failures } = JSON.parse(stdout) as {
    passed: number;
    skipped: number;
    failures: string[];
  };
  assert.deepEqual(failures, []);
  const runs = planned(startExample, EXAMPLE_LACKS);
  const expected = runs.filter(({ skip }) => skip === undefined).length;
  assert.deepEqual([passed, skipped], [expected, runs.length - expected]);
});
