/** The errors of node's parser, and how the client is answered. */

import type { Writable } from "node:stream";
import { BodyError, ClientGone } from "../../errors.ts";
import { STATUS_CODES } from "../../native/http.ts";

/** An error of node's parser, with the bytes that it failed on. */
export type ParserError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer; readonly reason?: string };

const HEADS_FULL = "TSGUN_HEADS_FULL";

const ERROR_STATUS: { readonly [code: string]: number } = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_PAUSED_H2_UPGRADE: 505,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  [HEADS_FULL]: 503,
};

/** The head was not complete in time. The same error as node's. */
export function headTimeout(): ParserError {
  const error: ParserError = new Error("the request took too long to arrive");
  error.code = "ERR_HTTP_REQUEST_TIMEOUT";
  return error;
}

/** The incomplete heads of all connections hold too much memory. */
export function headsFull(): ParserError {
  const error: ParserError = new Error("the server holds too many unfinished requests");
  error.code = HEADS_FULL;
  return error;
}

export function isHeadsFull({ code }: ParserError): boolean {
  return code === HEADS_FULL;
}

/** Whether the connection broke (ECONNRESET, EPIPE), rather than the parser failing. */
export function isReset({ code }: ParserError): boolean {
  return code !== undefined && /^E[A-Z]+$/.test(code);
}

/** Whether the client closed its side in the middle of a message. */
export function isEarlyEnd({ code }: ParserError): boolean {
  return code === "HPE_INVALID_EOF_STATE";
}

/** Whether the bytes came after a request with `Connection: close`. They are ignored. */
export function isAfterLast({ code }: ParserError): boolean {
  return code === "HPE_CLOSED_CONNECTION";
}

/** The status to respond with; 0 if the connection is broken. */
export function statusOf(error: ParserError): number {
  if (isReset(error)) return 0;
  const { code = "", reason = "" } = error;
  // Node uses the same code for an unknown coding (501, RFC 9112 section 6.1) and for one next to Content-Length (400).
  if (code === "HPE_INVALID_TRANSFER_ENCODING" && /invalid/i.test(reason)) return 501;
  return ERROR_STATUS[code] ?? 400;
}

/** The error of content whose connection broke. */
export function brokenOff(): BodyError {
  const message = "the request body ended early";
  return new BodyError(400, message, { cause: new ClientGone(message) });
}

/** The error of content that ended with `error`. */
export function contentError(error: ParserError): BodyError {
  if (isReset(error) || isEarlyEnd(error)) return brokenOff();
  return new BodyError(statusOf(error), error.message, { cause: error });
}

/**
 * Writes a complete response of the server's own to the socket, bypassing any response object.
 * @param retryAfter seconds after which the client should try again; default: it does not say
 */
export function writeRefusal(socket: Writable, status: number, retryAfter?: string): void {
  const content = `${status} ${STATUS_CODES[status]}\n`;
  const fields = `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${content.length}\r\nConnection: close`;
  const retry = retryAfter === undefined ? "" : `\r\nRetry-After: ${retryAfter}`;
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${fields}${retry}\r\n\r\n${content}`);
}
