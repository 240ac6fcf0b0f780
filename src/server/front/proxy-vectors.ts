/** The type-length-value vectors of a PROXY header of version 2 (section 2.2). */
import type { ProxyTls, ProxyTlv } from "../../gateway/types.ts";
import { crc32c } from "./crc32c.ts";
import { ProxyHeaderError } from "./proxy-header-error.ts";

const TYPE_CRC32C = 0x03;
const TYPE_SSL = 0x20;
const SUBTYPE_SSL_VERSION = 0x21;
const SUBTYPE_SSL_CN = 0x22;
const SUBTYPE_SSL_CIPHER = 0x23;

/** Bits of the first byte of an SSL vector. */
const CLIENT_SSL = 0x01;
const CLIENT_CERT_CONN = 0x02;
const CLIENT_CERT_SESS = 0x04;
/** That byte, and whether the certificate could not be verified. */
const SSL_FIXED_BYTES = 5;

/** Bytes of a type and a length. */
const HEAD_BYTES = 3;
const CRC_BYTES = 4;

/**
 * Reads the vectors of a header that begin at `start`, and checks its checksum if it has one.
 * @throws ProxyHeaderError
 */
export function readVectors(header: Buffer, start: number): readonly ProxyTlv[] {
  const vectors: ProxyTlv[] = [];
  for (const { type, from, to } of vectorsOf(header, start)) {
    if (type === TYPE_CRC32C) checkSum(header, from, to);
    // A copy: the bytes would keep all that was read with them.
    vectors.push({ type, value: Uint8Array.from(header.subarray(from, to)) });
  }
  return vectors;
}

interface Place {
  readonly type: number;
  readonly from: number;
  readonly to: number;
}

function* vectorsOf(bytes: Buffer, start: number): Generator<Place> {
  for (let at = start; at < bytes.length; ) {
    const from = at + HEAD_BYTES;
    const to = from <= bytes.length ? from + bytes.readUInt16BE(at + 1) : Number.POSITIVE_INFINITY;
    if (to > bytes.length) throw new ProxyHeaderError("has a PROXY header whose last vector is cut off");
    yield { type: bytes[at] as number, from, to };
    at = to;
  }
}

/** The sum is that of the header with zeros in its place (section 2.2.3). */
function checkSum(header: Buffer, from: number, to: number): void {
  const summed = Buffer.from(header).fill(0, from, to);
  if (to - from !== CRC_BYTES || header.readUInt32BE(from) !== crc32c(summed))
    throw new ProxyHeaderError("has a PROXY header with a wrong checksum");
}

/**
 * Reads from the vectors the facts of TLS between the client and the balancer (section 2.2.6); undefined if it did not use TLS.
 * @throws ProxyHeaderError
 */
export function readTls(vectors: readonly ProxyTlv[]): ProxyTls | undefined {
  const vector = vectors.find(({ type }) => type === TYPE_SSL);
  if (vector === undefined) return undefined;
  const { buffer, byteOffset, length } = vector.value;
  const bytes = Buffer.from(buffer, byteOffset, length);
  if (length < SSL_FIXED_BYTES) throw new ProxyHeaderError("has a PROXY header whose SSL vector is cut off");
  const client = bytes[0] as number;
  const texts = new Map<number, string>();
  for (const { type, from, to } of vectorsOf(bytes, SSL_FIXED_BYTES))
    texts.set(type, bytes.toString("utf8", from, to));
  if ((client & CLIENT_SSL) === 0) return undefined;
  const hasCertificate = (client & (CLIENT_CERT_CONN | CLIENT_CERT_SESS)) !== 0;
  return {
    version: texts.get(SUBTYPE_SSL_VERSION),
    cipher: texts.get(SUBTYPE_SSL_CIPHER),
    hasCertificate,
    authorized: hasCertificate && bytes.readUInt32BE(1) === 0,
    commonName: texts.get(SUBTYPE_SSL_CN),
  };
}
