/** Servers whose workers are of another user, and a checkout that this user can read. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const CHECKOUT = join(import.meta.dirname, "..", "..");

/** Ids without an account. */
export const OTHER = { uid: 12_345, gid: 54_321 };

/** Where `readableCheckout` puts the checkout. */
export const READABLE = "/mnt";

/** For a test's `skip` option. */
export function needsRoot(): string | false {
  if (process.getuid?.() !== 0) return "needs root: run the tests as root to see the real thing";
  const { status } = spawnSync("unshare", ["--mount", "true"]);
  return status === 0 ? false : "this machine does not allow new namespaces";
}

/** Runs the command from a place that every user may read. The process keeps its pid. */
export function readableCheckout(): string[] {
  const script = `mount --bind "$0" ${READABLE}; node=$1; shift 2; exec "$node" ${READABLE}/dist/cli/main.js "$@"`;
  return ["unshare", "--mount", "sh", "-ec", script, CHECKOUT];
}
