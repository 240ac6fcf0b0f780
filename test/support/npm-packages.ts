/** Packages that one test needs and nobody else: installed into its folder. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import type { TestContext } from "node:test";

const DEADLINE_MS = 4 * 60_000;

/**
 * Installs packages into `folder`, without their scripts. Where they cannot be had the test is skipped and says so, but
 * with CI=true it fails. Returns whether they are there.
 */
export function installPackages(test: TestContext, folder: string, ...packages: string[]): boolean {
  const words = ["install", "--no-save", "--no-package-lock", "--ignore-scripts", "--omit=optional"];
  const { status, stdout, stderr } = spawnSync("npm", [...words, "--no-fund", "--no-audit", ...packages], {
    cwd: folder,
    encoding: "utf8",
    timeout: DEADLINE_MS,
  });
  if (status === 0) return true;
  const output = `${stdout}${stderr}`;
  if (process.env.CI === "true" || !/network|ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|ENOENT/.test(output))
    assert.fail(`npm install ${packages.join(" ")}: ${output}`);
  test.skip(`${packages.join(", ")} cannot be had: npm needs a network`);
  return false;
}
