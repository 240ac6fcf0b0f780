/** The limits on requests for node's parser, which itself limits only the size of a whole head. */
import type { IncomingMessage } from "node:http";
import { type HeadLimit, LIMIT_STATUS } from "../../http/head-limit.ts";
import type { EngineOptions } from "../server-options.ts";
import { NodeHead } from "./node-head.ts";
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

/**
 * The status to refuse a request with if its head breaks a rule or exceeds a limit.
 *
 * @param head receives the fields of the request if it is not refused
 */
export function refusalOf(
  request: IncomingMessage,
  head: NodeHead,
  limits: EngineOptions["limits"],
  onLimit?: LimitListener,
): number | undefined {
  const { method = "", url = "", rawHeaders } = request;
  if (method.length + url.length + LINE_OVERHEAD > limits.requestLine) return exceeds("requestLine", onLimit);
  if (rawHeaders.length / 2 > limits.fields) return exceeds("fields", onLimit);
  head.read(request);
  if (head.longest + FIELD_OVERHEAD > limits.fieldSize) return exceeds("fieldSize", onLimit);
  const broken = brokenRule(request, head);
  if (broken !== undefined) return broken;
  const { contentLength } = head;
  if (contentLength !== undefined && Number(contentLength) > limits.body) return 413;
  return undefined;
}

/** The same for an upgrade request. Node treats its content as bytes of the new protocol. */
export function upgradeRefusalOf(
  request: IncomingMessage,
  limits: EngineOptions["limits"],
  onLimit?: LimitListener,
): number | undefined {
  const head = new NodeHead();
  return refusalOf(request, head, limits, onLimit) ?? (head.hasContent ? 501 : undefined);
}

/**
 * For content of unknown length: calls `onExceeded` once when more than `limit` bytes of content have arrived. The rest never reaches the app. Content is
 * counted where the parser passes it on, because a `data` listener would start the flow before the app reads.
 */
export function limitContent(request: IncomingMessage, limit: number, onExceeded: () => void): void {
  (request as LimitedMessage)[CONTENT] = { push: request.push, limit, received: 0, onExceeded };
  request.push = pushWithinLimit;
}

/** Content of unknown length. */
interface LimitedContent {
  readonly push: IncomingMessage["push"];
  readonly limit: number;
  received: number;
  readonly onExceeded: () => void;
}

const CONTENT = Symbol("tsgun.content");

type LimitedMessage = IncomingMessage & { [CONTENT]: LimitedContent };

/** The same function for all requests, as in `reading-scope.ts`. */
function pushWithinLimit(
  this: IncomingMessage,
  chunk: Uint8Array | null,
  encoding?: BufferEncoding,
): boolean {
  const content = (this as LimitedMessage)[CONTENT];
  const { limit, received } = content;
  content.received += chunk?.length ?? 0;
  if (content.received <= limit) return content.push.call(this, chunk, encoding);
  if (received <= limit) content.onExceeded();
  // Discards the chunk and keeps reading.
  return true;
}
