/**
 * The rules of HTTP/1.1 that node's parser does not enforce and that protect a listener: a request that a proxy and the
 * app could read differently is refused, as in the gateway engine. docs/http.md lists the remaining differences.
 */
import type { IncomingMessage } from "node:http";
import { isHost } from "../../gateway/host.ts";
import { isTarget } from "../../http/grammar.ts";

/** The last Host value that was valid. Nearly every request to a server has the same one. */
let knownHost = "";

/** The status to refuse a request with that node has accepted; undefined if it breaks no rule. */
export function brokenRule(request: IncomingMessage): number | undefined {
  const { method = "", url = "", headers, httpVersion } = request;
  const isHttp11 = httpVersion === "1.1";
  if (!isHttp11 && httpVersion !== "1.0") return 505;
  if (url.charCodeAt(0) !== 0x2f || method === "CONNECT") {
    if (!isTarget(method, url)) return 400;
  }
  if (url.includes("#")) return 400;
  const { host } = headers;
  if (host === undefined) {
    if (isHttp11) return 400;
  } else if (host !== knownHost) {
    if (!isHost(host)) return 400;
    knownHost = host;
  }
  const coding = headers["transfer-encoding"];
  if (coding !== undefined) {
    if (!isHttp11) return 400;
    // Node joins repeated fields, and reads chunks if the last coding is chunked.
    if (coding.toLowerCase() !== "chunked") return 501;
  }
  const length = headers["content-length"];
  if (length !== undefined && Number(length) > Number.MAX_SAFE_INTEGER) return 400;
  // After the head of a CONNECT the tunnel begins, whatever Content-Length says.
  if (
    (method === "TRACE" || method === "CONNECT") &&
    (coding !== undefined || (length !== undefined && Number(length) > 0))
  )
    return 400;
  const { expect } = headers;
  if (expect !== undefined && isHttp11 && expect.toLowerCase() !== "100-continue") return 417;
  return undefined;
}
