/** The limits on requests, for node's own parser, which knows only one for the size of a whole head. */
import type { IncomingMessage } from "node:http";
import { type HeadLimit, LIMIT_STATUS } from "../../http/head-limit.ts";
import { hasContent } from "../../interop/framing.ts";
import type { EngineOptions } from "../server-options.ts";
import { brokenRule } from "./node-rules.ts";

/** ` HTTP/1.1` and the space behind the method. */
const LINE_OVERHEAD = " ".length + " HTTP/1.1".length;
const FIELD_OVERHEAD = ": ".length;

/** Called with the limit that a head is beyond. */
export type LimitListener = (limit: HeadLimit) => void;

function beyond(limit: HeadLimit, onLimit: LimitListener | undefined): number {
  onLimit?.(limit);
  return LIMIT_STATUS[limit];
}

/** The status to refuse a request with because of its head, if it breaks a rule or is beyond a limit. */
export function refusalOf(
  request: IncomingMessage,
  limits: EngineOptions["limits"],
  onLimit?: LimitListener,
): number | undefined {
  const { method = "", url = "", rawHeaders } = request;
  if (method.length + url.length + LINE_OVERHEAD > limits.requestLine) return beyond("requestLine", onLimit);
  if (rawHeaders.length / 2 > limits.fields) return beyond("fields", onLimit);
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length + (rawHeaders[at + 1] as string).length + FIELD_OVERHEAD > limits.fieldSize)
      return beyond("fieldSize", onLimit);
    // Node keeps the first one and drops the others (RFC 9112 section 3.2).
    if (name.length === 4 && name.toLowerCase() === "host") hosts += 1;
  }
  if (hosts > 1) return 400;
  const broken = brokenRule(request);
  if (broken !== undefined) return broken;
  const declared = request.headers["content-length"];
  if (declared !== undefined && Number(declared) > limits.body) return 413;
  return undefined;
}

/** The same for a request to change protocols, whose content node takes for what comes behind it. */
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
 * Calls `onExceeded` once when more than `limit` bytes of content have come; nothing beyond them reaches the app.
 * Content is counted where the parser hands it over: a `data` listener would start the flow for the app.
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
    // What still comes is thrown away.
    return true;
  };
}
