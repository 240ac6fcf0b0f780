/** The limits on requests for node's parser, which itself limits only the size of a whole head. */
import type { IncomingMessage } from "node:http";
import { type HeadLimit, LIMIT_STATUS } from "../../http/head-limit.ts";
import { hasContent } from "../../interop/framing.ts";
import type { EngineOptions } from "../server-options.ts";
import { brokenRule } from "./node-rules.ts";

/** The space after the method, and ` HTTP/1.1`. */
const LINE_OVERHEAD = " ".length + " HTTP/1.1".length;
const FIELD_OVERHEAD = ": ".length;

/** Called with the limit that a head exceeds. */
export type LimitListener = (limit: HeadLimit) => void;

function exceeds(limit: HeadLimit, onLimit: LimitListener | undefined): number {
  onLimit?.(limit);
  return LIMIT_STATUS[limit];
}

/** The status to refuse a request with if its head breaks a rule or exceeds a limit. */
export function refusalOf(
  request: IncomingMessage,
  limits: EngineOptions["limits"],
  onLimit?: LimitListener,
): number | undefined {
  const { method = "", url = "", rawHeaders } = request;
  if (method.length + url.length + LINE_OVERHEAD > limits.requestLine) return exceeds("requestLine", onLimit);
  if (rawHeaders.length / 2 > limits.fields) return exceeds("fields", onLimit);
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length + (rawHeaders[at + 1] as string).length + FIELD_OVERHEAD > limits.fieldSize)
      return exceeds("fieldSize", onLimit);
    // `headers` has only the first Host; several are an error (RFC 9112 section 3.2).
    if (name.length === 4 && name.toLowerCase() === "host") hosts += 1;
  }
  if (hosts > 1) return 400;
  const broken = brokenRule(request);
  if (broken !== undefined) return broken;
  const declared = request.headers["content-length"];
  if (declared !== undefined && Number(declared) > limits.body) return 413;
  return undefined;
}

/** The same for an upgrade request. Node treats its content as bytes of the new protocol. */
export function upgradeRefusalOf(
  request: IncomingMessage,
  limits: EngineOptions["limits"],
  onLimit?: LimitListener,
): number | undefined {
  return (
    refusalOf(request, limits, onLimit) ?? (hasContent(request.method, request.headers) ? 501 : undefined)
  );
}

/**
 * Calls `onExceeded` once when more than `limit` bytes of content have arrived. The rest never reaches the app. Content is
 * counted where the parser passes it on, because a `data` listener would start the flow before the app reads.
 */
export function limitContent(request: IncomingMessage, limit: number, onExceeded: () => void): void {
  const sized = request.headers["content-length"] !== undefined;
  if (sized || !Number.isFinite(limit) || request.headers["transfer-encoding"] === undefined) return;
  const push = request.push.bind(request);
  let received = 0;
  request.push = (chunk: Uint8Array | null, encoding?: BufferEncoding): boolean => {
    const before = received;
    received += chunk?.length ?? 0;
    if (received <= limit) return push(chunk, encoding);
    if (before <= limit) onExceeded();
    // Discards the chunk and keeps reading.
    return true;
  };
}
