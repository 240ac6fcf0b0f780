/** The addresses of a PROXY header, as text in version 1 and as bytes in version 2. Both become what the system would name. */
import { isIPv4, SocketAddress } from "node:net";
import { endpoint } from "../../exchange/endpoint.ts";
import type { Endpoint } from "../../gateway/types.ts";

/** Undefined where the header names no client of a stream: the connection's own addresses hold then. */
export interface ToldEnds {
  readonly peer: Endpoint | undefined;
  readonly local: Endpoint | undefined;
}

const UNTOLD: ToldEnds = { peer: undefined, local: undefined };

const UNKNOWN = "PROXY UNKNOWN";
/** No leading zeros, which some would read as octal numbers. */
const PORT = "(0|[1-9]\\d{0,4})";
const LINE = new RegExp(`^PROXY TCP([46]) ([\\dA-Fa-f:.]+) ([\\dA-Fa-f:.]+) ${PORT} ${PORT}$`);
const MAX_PORT = 65_535;

/** Reads the line of version 1, without its CRLF (section 2.1). Returns undefined if it is malformed. */
export function readTextHeader(line: string): ToldEnds | undefined {
  // Whatever follows this word is ignored.
  if (line === UNKNOWN || line.startsWith(`${UNKNOWN} `)) return UNTOLD;
  const [, family, source = "", destination = "", sourcePort, destinationPort] = LINE.exec(line) ?? [];
  if (family === undefined) return undefined;
  const read = family === "4" ? readIPv4 : readIPv6;
  const peer = read(source, Number(sourcePort));
  const local = read(destination, Number(destinationPort));
  return peer && local && { peer, local };
}

function readIPv4(address: string, port: number): Endpoint | undefined {
  return port <= MAX_PORT && isIPv4(address) ? { family: "ipv4", address, port } : undefined;
}

/** The text as the system writes it: the same address must not have two names. */
function readIPv6(address: string, port: number): Endpoint | undefined {
  if (port > MAX_PORT || !address.includes(":")) return undefined;
  try {
    return endpoint(new SocketAddress({ address, family: "ipv6" }).address, port);
  } catch {
    return undefined;
  }
}

/** The ends, and how many bytes they took. */
export type ReadEnds = ToldEnds & { readonly bytes: number };

interface Layout {
  readonly bytes: number;
  /** Undefined for ends that are no stream's: a balancer of datagrams has no business here. */
  readonly read?: (bytes: Buffer, at: number) => ToldEnds;
}

/** By the byte of family and transport (section 2.2). Others must be refused, except 0, which says nothing. */
const LAYOUTS: { readonly [family: number]: Layout } = {
  17: { bytes: 12, read: readInet },
  18: { bytes: 12 },
  33: { bytes: 36, read: readInet6 },
  34: { bytes: 36 },
  49: { bytes: 216, read: readUnix },
  50: { bytes: 216 },
};

/** Reads the addresses of version 2, which begin at `start`, of a header that ends at `end`. */
export function readAddresses(
  family: number,
  bytes: Buffer,
  start: number,
  end: number,
): ReadEnds | "short" | undefined {
  const layout = LAYOUTS[family];
  if (layout === undefined) return undefined;
  if (end - start < layout.bytes) return "short";
  const { peer, local } = layout.read?.(bytes, start) ?? UNTOLD;
  return { peer, local, bytes: layout.bytes };
}

function readInet(bytes: Buffer, at: number): ToldEnds {
  return {
    peer: { family: "ipv4", address: ipv4At(bytes, at), port: bytes.readUInt16BE(at + 8) },
    local: { family: "ipv4", address: ipv4At(bytes, at + 4), port: bytes.readUInt16BE(at + 10) },
  };
}

function ipv4At(bytes: Buffer, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

function readInet6(bytes: Buffer, at: number): ToldEnds {
  return {
    peer: readIPv6(ipv6At(bytes, at), bytes.readUInt16BE(at + 32)),
    local: readIPv6(ipv6At(bytes, at + 16), bytes.readUInt16BE(at + 34)),
  };
}

function ipv6At(bytes: Buffer, at: number): string {
  const groups = Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(at + group * 2).toString(16));
  return groups.join(":");
}

const PATH_BYTES = 108;

function readUnix(bytes: Buffer, at: number): ToldEnds {
  return {
    peer: unixEnd(bytes.subarray(at, at + PATH_BYTES)),
    local: unixEnd(bytes.subarray(at + PATH_BYTES, at + 2 * PATH_BYTES)),
  };
}

/** A path goes into logs, so one with other characters is left out, as is that of a socket without a file. */
function unixEnd(bytes: Buffer): Endpoint {
  const end = bytes.indexOf(0);
  const path = bytes.toString("latin1", 0, end === -1 ? bytes.length : end);
  return { family: "unix", address: /^[!-~]*$/.test(path) ? path : "", port: 0 };
}
