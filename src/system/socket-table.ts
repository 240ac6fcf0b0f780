/** The kernel's own tables of sockets, as Linux shows them in /proc/net. */
import { readFileSync } from "node:fs";

/**
 * The lines of /proc/net/`name` below its heading, in words.
 * @throws where the system has no such table
 */
export function socketTable(root: string, name: "unix" | "tcp" | "tcp6"): string[][] {
  const text = readFileSync(`${root}proc/self/net/${name}`, "latin1");
  return text
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
}

/** Whether a process has a socket that is bound to the absolute path `path`; undefined where the system does not say. */
export function isBound(path: string): boolean | undefined {
  try {
    const latin1 = Buffer.from(path).toString("latin1");
    return socketTable("/", "unix").some((row) => row.slice(7).join(" ") === latin1);
  } catch {
    return undefined;
  }
}
