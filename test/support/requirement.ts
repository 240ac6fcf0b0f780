/** What a test needs of the machine: without it the test is skipped, but on CI it fails. */
import { spawnSync } from "node:child_process";

/**
 * For a test's `skip` option: false when `command` is there, else what to install. With CI=true it throws:
 * a suite that skips what it was built to show is no proof.
 */
export function missing(command: string, install: string): string | false {
  const { error } = spawnSync(command, ["--version"], { stdio: "ignore" });
  if (error === undefined) return false;
  const reason = `${command} is not here: install ${install}`;
  if (process.env.CI === "true") throw new Error(reason);
  return reason;
}
