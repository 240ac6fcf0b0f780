/**
 * The rules of HTTP/1.1 that node's parser does not enforce and that protect a listener: a request that a proxy and the
 * app could read differently is refused, as in the gateway engine. docs/http.md lists the remaining differences.
 */
import type { IncomingMessage } from "node:http";
import { isHost } from "../../gateway/host.ts";
import { isTarget } from "../../http/grammar.ts";
import type { NodeHead } from "./node-head.ts";

/** The last Host value that was valid. Nearly every request to a server has the same one. */
let knownHost = "";

/** The status to refuse a request with that node has accepted; undefined if it breaks no rule. */
export function brokenRule(request: IncomingMessage, head: NodeHead): number | undefined {
  const { method = "", url = "", httpVersion } = request;
  const { host, contentLength, transferEncoding, expect } = head;
  // RFC 9112 section 3.2.
  if (head.hosts > 1) return 400;
  const isHttp11 = httpVersion === "1.1";
  if (!isHttp11 && httpVersion !== "1.0") return 505;
  if (url.charCodeAt(0) !== 0x2f || method === "CONNECT") {
    if (!isTarget(method, url)) return 400;
  }
  if (url.includes("#")) return 400;
  if (host === undefined) {
    if (isHttp11) return 400;
  } else if (host !== knownHost) {
    if (!isHost(host)) return 400;
    knownHost = host;
  }
  if (transferEncoding !== undefined) {
    if (!isHttp11) return 400;
    // Node joins repeated fields, and reads chunks if the last coding is chunked.
    if (transferEncoding.toLowerCase() !== "chunked") return 501;
    if (asksForProtocol(request)) return 501;
  }
  if (contentLength !== undefined && Number(contentLength) > Number.MAX_SAFE_INTEGER) return 400;
  // After the head of a CONNECT the tunnel begins, whatever Content-Length says.
  if ((method === "TRACE" || method === "CONNECT") && head.hasContent) return 400;
  if (expect !== undefined && isHttp11 && expect.toLowerCase() !== "100-continue") return 417;
  return undefined;
}

/**
 * The parser of node takes `chunked` with a tab around it for no coding at all if the request asks for another protocol: the app
 * would see no content, and the content would be the next request. Nor does it report malformed chunks.
 */
function asksForProtocol({ headers }: IncomingMessage): boolean {
  const { upgrade, connection } = headers;
  return upgrade !== undefined && connection !== undefined && /upgrade/i.test(connection);
}
