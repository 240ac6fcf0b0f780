/** The kernel's socket tables, in /proc/net of Linux. */
import { readFileSync } from "node:fs";

/**
 * The lines of /proc/net/`name` without the heading, split into fields.
 * @throws if the system has no such table
 */
export function socketTable(root: string, name: "unix" | "tcp" | "tcp6"): string[][] {
  const text = readFileSync(`${root}proc/self/net/${name}`, "latin1");
  return text
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
}

/**
 * Whether a process has bound a stream socket to the absolute path `path` but does not listen yet; undefined if the system
 * has no such table. Accepted connections carry the path of their server too, so the state is checked.
 */
export function isAboutToListen(path: string): boolean | undefined {
  try {
    const latin1 = Buffer.from(path).toString("latin1");
    return socketTable("/", "unix").some(
      ([, , , flags, type, state, , ...name]) =>
        name.join(" ") === latin1 && type === STREAM && flags === NO_FLAGS && state === UNCONNECTED,
    );
  } catch {
    return undefined;
  }
}

/** Values in /proc/net/unix: SOCK_STREAM, flags without __SO_ACCEPTCON (not listening), SS_UNCONNECTED. */
const STREAM = "0001";
const NO_FLAGS = "00000000";
const UNCONNECTED = "01";
