/** What node's parser stumbles over, and what the client is told of it. */
import { STATUS_CODES } from "node:http";
import type { Writable } from "node:stream";
import { BodyError, ClientGone } from "../../errors.ts";

/** An error of node's parser, with the bytes that it stumbled over. */
export type ParserError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer; readonly reason?: string };

const HEADS_FULL = "TSGUN_HEADS_FULL";

const ERROR_STATUS: { readonly [code: string]: number } = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_PAUSED_H2_UPGRADE: 505,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  [HEADS_FULL]: 503,
};

/** A head that is not whole in time, as node itself reports it. */
export function headTimeout(): ParserError {
  const error: ParserError = new Error("the request took too long to arrive");
  error.code = "ERR_HTTP_REQUEST_TIMEOUT";
  return error;
}

/** A head for which there is no memory. */
export function headsFull(): ParserError {
  const error: ParserError = new Error("the server holds too many unfinished requests");
  error.code = HEADS_FULL;
  return error;
}

export function isHeadsFull({ code }: ParserError): boolean {
  return code === HEADS_FULL;
}

/** The connection broke, and no byte of it was wrong. */
export function isReset({ code }: ParserError): boolean {
  return code !== undefined && /^E[A-Z]+$/.test(code);
}

/** The client has closed its side in the middle of a message. */
export function isEarlyEnd({ code }: ParserError): boolean {
  return code === "HPE_INVALID_EOF_STATE";
}

/** Bytes behind a request that said it was the last one: they are nobody's. */
export function isBehindLast({ code }: ParserError): boolean {
  return code === "HPE_CLOSED_CONNECTION";
}

/** The status to answer it with; 0 where nobody can be answered. */
export function statusOf(error: ParserError): number {
  if (isReset(error)) return 0;
  const { code = "", reason = "" } = error;
  // RFC 9112 section 6.1; the same code stands for one beside Content-Length.
  if (code === "HPE_INVALID_TRANSFER_ENCODING" && /invalid/i.test(reason)) return 501;
  return ERROR_STATUS[code] ?? 400;
}

/** Content that ended with its connection, for a log line. */
export function brokenOff(): BodyError {
  const message = "the request body ended early";
  return new BodyError(400, message, { cause: new ClientGone(message) });
}

/** The same, where it was the content of a request that the parser stumbled over. */
export function contentError(error: ParserError): BodyError {
  if (isReset(error) || isEarlyEnd(error)) return brokenOff();
  return new BodyError(statusOf(error), error.message, { cause: error });
}

/** Sends a whole answer of the server's own, past any response object. */
export function writeRefusal(socket: Writable, status: number): void {
  const content = `${status} ${STATUS_CODES[status]}\n`;
  const fields = `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${content.length}\r\nConnection: close`;
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${fields}\r\n\r\n${content}`);
}
