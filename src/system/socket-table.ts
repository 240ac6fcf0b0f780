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

/**
 * Whether a process has bound a stream socket to the absolute path `path` that does not listen yet; undefined where the
 * system does not say. Connections that a server has accepted bear its path, too.
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

/** Of /proc/net/unix: SOCK_STREAM, not the flag of a socket that listens (__SO_ACCEPTCON), SS_UNCONNECTED. */
const STREAM = "0001";
const NO_FLAGS = "00000000";
const UNCONNECTED = "01";
