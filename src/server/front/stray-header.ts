/**
 * Recognises a PROXY header where a request should begin. One side speaks the protocol there and the other does not, which
 * makes all requests malformed; the status alone would not say why.
 */
import type { Endpoint } from "../../gateway/types.ts";

/** A parser may have skipped empty lines of version 2. */
const STRAY_HEADER = /^(?:PROXY (?:TCP[46] |UNKNOWN)|(?:\r\n)*\0\r\nQUIT\n)/;

/** The known facts of the connection. */
export interface StrayHeader {
  readonly peer: Endpoint;
  /** Whether the connection has had its header before. */
  readonly isSecond: boolean;
}

/** @param received the beginning of a refused request, as Latin-1 */
export function isStrayHeader(received: string): boolean {
  return STRAY_HEADER.test(received);
}
