/** The kernel's socket tables, in /proc/net of Linux. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { SocketAddress } from "node:net";
import { endianness } from "node:os";

export type SocketTable = "unix" | "tcp" | "tcp6";

const FOLDER = "proc/self/net/";

/**
 * The lines of /proc/net/`name` without the heading, split into fields.
 * @throws if the system has no such table
 */
export function socketTable(root: string, name: SocketTable): string[][] {
  const text = readFileSync(`${root}${FOLDER}${name}`, "latin1");
  return text
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
}

/**
 * The text of /proc/net/`name`, read without blocking the event loop.
 * @throws if the system has no such table
 */
export function readSocketTable(name: SocketTable): Promise<string> {
  return readFile(`/${FOLDER}${name}`, "latin1");
}

/** Decodes an address of the tcp and tcp6 tables, which print it as 32-bit numbers in the machine's byte order. */
export function ipAddress(digits: string): string {
  const bytes = Buffer.from(digits, "hex");
  if (endianness() === "LE") bytes.swap32();
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(group * 2).toString(16));
  // Node shortens the address to its usual form.
  return new SocketAddress({ address: groups.join(":"), family: "ipv6" }).address;
}

/**
 * Whether a process has bound a stream socket to the absolute path `path` but does not listen yet; undefined if the
 * system has no such table. Accepted connections carry the path of their server too, so the state is checked.
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
