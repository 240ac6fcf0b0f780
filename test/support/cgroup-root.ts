/** Folders that look like a machine's /proc and control groups, as src/system/cgroup.ts reads them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";

/** A mount line of cgroup v2; `root` is the part of the hierarchy that is mounted. */
export function v2Mount(point = "/sys/fs/cgroup", root = "/"): string {
  return `31 24 0:27 ${root} ${point} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n`;
}

export function v1Mount(controllers: string, root = "/"): string {
  return `33 24 0:29 ${root} /sys/fs/cgroup/${controllers} rw shared:9 - cgroup cgroup rw,${controllers}\n`;
}

/** Makes files, by their path without the leading slash, and returns the folder they are in. */
export function machine(t: TestContext, files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), "tsgun-machine-"));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}
