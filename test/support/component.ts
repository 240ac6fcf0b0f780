/** Real programs that a test needs: where CI runs they must be there, elsewhere the test is skipped and says why. */
import { spawnSync } from "node:child_process";
import type { TestContext } from "node:test";

/**
 * True when `program` is installed. Otherwise skips the test with a hint, or fails it when CI=true.
 *
 * @param packages what `apt-get install` would be given
 */
export function hasComponent(test: TestContext, program: string, packages: string = program): boolean {
  // Debian keeps servers in sbin, which is not on everybody's path.
  const path = `${process.env.PATH}:/usr/sbin:/sbin`;
  const found =
    spawnSync("sh", ["-c", `command -v ${program}`], { env: { ...process.env, PATH: path } }).status === 0;
  if (found) return true;
  const hint = `${program} is not installed; install it with: apt-get install ${packages}`;
  if (process.env.CI === "true") throw new Error(hint);
  test.skip(hint);
  return false;
}
