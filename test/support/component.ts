/** Programs that a test needs: without one the test is skipped with the reason, but under CI it fails. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import type { TestContext } from "node:test";

// Debian keeps servers in sbin, which is not on every user's path.
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
  return lacking(`${program} is not installed; install it with: apt-get install ${packages}`);
}

/** Where distributions put nginx's modules. */
const NGINX_MODULES = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/local/lib/nginx/modules"];

/**
 * nginx's line that loads its stream module, "" if it is built in. Without the module it skips the running test with a hint,
 * and returns undefined, or fails it when CI=true.
 */
export function nginxStream(test: TestContext): string | undefined {
  if (!hasComponent(test, "nginx")) return undefined;
  const { stderr } = spawnSync("nginx", ["-V"], { env: { ...process.env, PATH }, encoding: "utf8" });
  if (/--with-stream(?:\s|$)/.test(stderr)) return "";
  const file = NGINX_MODULES.map((folder) => `${folder}/ngx_stream_module.so`).find((path) =>
    existsSync(path),
  );
  if (file !== undefined) return `load_module ${file};`;
  test.skip(lacking("nginx has no stream module; install it with: apt-get install libnginx-mod-stream"));
  return undefined;
}

/** For a test's `skip` option: why it cannot run here. With CI=true it throws. */
function lacking(hint: string): string {
  if (process.env.CI === "true") throw new Error(hint);
  return hint;
}

/** For a test's `skip` option: false when this process may make networks of its own, else why it may not. */
export function noNetworks(): string | false {
  if (process.platform !== "linux") return lacking("only Linux has network namespaces");
  if (process.getuid?.() !== 0) return lacking("networks take root: run the tests as root");
  for (const program of ["unshare", "nsenter"]) {
    const hint = missing(program, "util-linux");
    if (hint !== false) return hint;
  }
  const { status } = spawnSync("unshare", ["--net", "--mount", "true"]);
  return status === 0 ? false : lacking("this machine does not allow new namespaces");
}

/** True when `program` is installed. Otherwise skips the running test with a hint, or fails it when CI=true. */
export function hasComponent(test: TestContext, program: string, packages: string = program): boolean {
  const hint = missing(program, packages);
  if (hint === false) return true;
  test.skip(hint);
  return false;
}
