/** File systems that a test mounts for the server alone. */
import { spawnSync } from "node:child_process";

/** Returns why a test that mounts a file system of this type is skipped; false if it is not. Only root may mount. */
export function noMounts(type: "tmpfs"): string | false {
  const words = ["--mount", "mount", "-t", type, "none", "/mnt"];
  const works = process.platform === "linux" && spawnSync("unshare", words).status === 0;
  return works ? false : "run it as root, where a file system can be mounted";
}
