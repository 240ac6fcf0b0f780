/** Real programs that a test needs: where CI runs they must be there, elsewhere the test is skipped and says why. */
import { spawnSync } from "node:child_process";
import type { TestContext } from "node:test";

// Debian keeps servers in sbin, which is not on everybody's path.
const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

/**
 * For a test's `skip` option: false when `program` is installed, else what to install. With CI=true it
 * throws: a suite that skips what it was built to show is no proof.
 *
 * @param packages what `apt-get install` would be given
 */
export function missing(program: string, packages: string = program): string | false {
  const found = spawnSync("sh", ["-c", `command -v ${program}`], { env: { ...process.env, PATH } });
  if (found.status === 0) return false;
  const hint = `${program} is not installed; install it with: apt-get install ${packages}`;
  if (process.env.CI === "true") throw new Error(hint);
  return hint;
}

/** True when `program` is installed. Otherwise skips the running test with a hint, or fails it when CI=true. */
export function hasComponent(test: TestContext, program: string, packages: string = program): boolean {
  const hint = missing(program, packages);
  if (hint === false) return true;
  test.skip(hint);
  return false;
}
