/**
 * PROXY headers of versions 1 and 2 as bytes, without I/O. The specification is HAProxy's proxy-protocol.txt, and the
 * sections named here are its. Nothing is guessed: bytes that cannot become a header are refused as soon as they show it.
 */
import type { Endpoint, ProxyTls, ProxyTlv } from "../../gateway/types.ts";
import { readAddresses, readTextHeader } from "./proxy-addresses.ts";
import { ProxyHeaderError } from "./proxy-header-error.ts";
import { readTls, readVectors } from "./proxy-vectors.ts";

/** Whether a header must have one version, or may have either. */
export type AcceptedVersions = "v1" | "v2" | "auto";

export interface ProxyHeader {
  readonly version: 1 | 2;
  /** Bytes of the header; those behind it belong to the client. */
  readonly length: number;
  /** Undefined if the connection has no other client than the balancer, or it does not say which: a health check. */
  readonly peer: Endpoint | undefined;
  readonly local: Endpoint | undefined;
  readonly tlvs: readonly ProxyTlv[];
  readonly tls: ProxyTls | undefined;
}

/** Section 2.1: how long a header of version 1 may be, with its CRLF. */
export const MAX_TEXT_BYTES = 107;
/** The most bytes of addresses and vectors in version 2. Real ones have a few hundred bytes; the length field could say 65535. */
export const MAX_BINARY_BYTES = 4096;

const TEXT_SIGNATURE = Buffer.from("PROXY ", "latin1");
/** Section 2.2. */
const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const FIXED_BYTES = 16;

const LOCAL = 0x20;
const PROXY = 0x21;
const UNSPECIFIED = 0x00;

const NO_VECTORS: readonly ProxyTlv[] = Object.freeze([]);

/**
 * Reads the header at the start of `bytes`, the first bytes of a connection. Returns undefined if there must be more.
 * @throws ProxyHeaderError
 */
export function readProxyHeader(bytes: Buffer, versions: AcceptedVersions): ProxyHeader | undefined {
  if (versions !== "v2" && begins(bytes, TEXT_SIGNATURE)) return readText(bytes);
  if (versions !== "v1" && begins(bytes, SIGNATURE)) return readBinary(bytes);
  const other = versions === "v2" ? TEXT_SIGNATURE : SIGNATURE;
  if (bytes.length < other.length || !begins(bytes, other))
    throw new ProxyHeaderError("does not begin with a PROXY header");
  throw new ProxyHeaderError(
    `begins with a PROXY header of ${versions === "v2" ? "v1" : "v2"}, not ${versions}`,
  );
}

/** Whether the bytes begin with the signature, or may do so once there are more. */
function begins(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length);
  // A call of `compare` costs more than these few bytes.
  for (let at = 0; at < length; at += 1) if (bytes[at] !== signature[at]) return false;
  return true;
}

function readText(bytes: Buffer): ProxyHeader | undefined {
  const end = bytes.subarray(0, MAX_TEXT_BYTES).indexOf("\r\n");
  if (end === -1) {
    if (bytes.length < MAX_TEXT_BYTES) return undefined;
    throw new ProxyHeaderError(`has a PROXY header without an end in its first ${MAX_TEXT_BYTES} bytes`);
  }
  const ends = readTextHeader(bytes.toString("latin1", 0, end));
  if (ends === undefined) throw new ProxyHeaderError("has a malformed PROXY header of version 1");
  return { version: 1, length: end + 2, ...ends, tlvs: [], tls: undefined };
}

function readBinary(bytes: Buffer): ProxyHeader | undefined {
  // By index: to take a Buffer apart costs more than all the rest.
  const command = bytes[SIGNATURE.length];
  const family = bytes[SIGNATURE.length + 1];
  if (command !== undefined && command !== LOCAL && command !== PROXY)
    throw new ProxyHeaderError(`has a PROXY header of an unknown version and command, 0x${hex(command)}`);
  if (bytes.length < FIXED_BYTES || family === undefined) return undefined;
  const size = bytes.readUInt16BE(SIGNATURE.length + 2);
  if (size > MAX_BINARY_BYTES)
    throw new ProxyHeaderError(`has a PROXY header of ${size} bytes, more than ${MAX_BINARY_BYTES}`);
  const length = FIXED_BYTES + size;
  if (bytes.length < length) return undefined;
  // The balancer's own connection, or one of which it cannot tell anything. Whatever else it says is ignored.
  if (command === LOCAL || family === UNSPECIFIED)
    return { version: 2, length, peer: undefined, local: undefined, tlvs: [], tls: undefined };
  const read = readAddresses(family, bytes, FIXED_BYTES, length);
  if (read === undefined)
    throw new ProxyHeaderError(`has a PROXY header of an unknown family, 0x${hex(family)}`);
  if (read === "short") throw new ProxyHeaderError("has a PROXY header that is too short for its addresses");
  const { peer, local, bytes: used } = read;
  // Most have none.
  if (used === size) return { version: 2, length, peer, local, tlvs: NO_VECTORS, tls: undefined };
  const tlvs = readVectors(bytes.subarray(0, length), FIXED_BYTES + used);
  return { version: 2, length, peer, local, tlvs, tls: readTls(tlvs) };
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
