/**
 * Finds the folder of this process's control group: version 2, version 1 or both side by side, mounted wherever
 * mountinfo says, in a container or not (cgroups(7)). Linux only: other systems have none.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Cgroup {
  readonly version: 1 | 2;
  /** The group's folder, then its parents up to the mount: limits of all of them apply. */
  readonly folders: readonly string[];
}

export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Decodes mountinfo's octal escapes for space, tab, newline and backslash. */
function decodePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

interface Mount {
  /** The folder of the hierarchy that is mounted. */
  root: string;
  point: string;
  type: string;
  options: string[];
}

function mounts(root: string): Mount[] {
  const text = readText(join(root, "proc/self/mountinfo")) ?? "";
  return text.split("\n").flatMap((line) => {
    const [before, after] = line.split(" - ");
    const [, , , mountRoot, point] = before?.split(" ") ?? [];
    const [type, , options] = after?.split(" ") ?? [];
    if (mountRoot === undefined || point === undefined || type === undefined) return [];
    return [
      { root: decodePath(mountRoot), point: decodePath(point), type, options: options?.split(",") ?? [] },
    ];
  });
}

function foldersUp(root: string, mount: Mount, path: string): string[] {
  const top = join(root, mount.point);
  // In a container without a cgroup namespace the path is the host's, and the mounted folder is its prefix.
  const inside =
    mount.root === "/" ? path : path.startsWith(mount.root) ? path.slice(mount.root.length) : "/";
  const names = inside.split("/").filter((name) => name !== "" && name !== "..");
  return [...names.keys(), names.length].map((depth) => join(top, ...names.slice(0, depth))).reverse();
}

/**
 * Finds the group of process `pid` under `controller` ("memory", "cpu"). Version 1 goes first if both list the
 * controller, which can be active in one hierarchy only. `root` is the folder that contains /proc.
 */
export function cgroupOf(controller: string, root = "/", pid: number | "self" = "self"): Cgroup | undefined {
  const lines = (readText(join(root, `proc/${pid}/cgroup`)) ?? "").split("\n").map((line) => line.split(":"));
  const mounted = mounts(root);
  const v1Path = lines
    .find(([, names]) => names?.split(",").includes(controller))
    ?.slice(2)
    .join(":");
  const v1Mount = mounted.find(({ type, options }) => type === "cgroup" && options.includes(controller));
  if (v1Path !== undefined && v1Mount !== undefined) {
    return { version: 1, folders: foldersUp(root, v1Mount, v1Path) };
  }
  const v2Path = lines
    .find(([number, names]) => number === "0" && names === "")
    ?.slice(2)
    .join(":");
  const v2Mount = mounted.find(({ type }) => type === "cgroup2");
  if (v2Path === undefined || v2Mount === undefined) return undefined;
  return { version: 2, folders: foldersUp(root, v2Mount, v2Path) };
}
