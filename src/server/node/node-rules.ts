/**
 * The rules of HTTP/1.1 that node's parser does not keep and a listener could come to harm by: what could be read in
 * two ways, by a proxy and by the app, is refused as the gateway engine refuses it. What is left is in docs/http.md.
 */
import type { IncomingMessage } from "node:http";
import { isHost } from "../../gateway/host.ts";
import { isTarget } from "../../http/grammar.ts";

/** The last Host value found valid: nearly every request to a server names the same one. */
let knownHost = "";

/** The status to refuse a request with whose head node has let pass; undefined for a good one. */
export function brokenRule(request: IncomingMessage): number | undefined {
  const { method = "", url = "", headers, httpVersion } = request;
  const current = httpVersion === "1.1";
  if (!current && httpVersion !== "1.0") return 505;
  if (url.charCodeAt(0) !== 0x2f || method === "CONNECT") {
    if (!isTarget(method, url)) return 400;
  }
  if (url.includes("#")) return 400;
  const { host } = headers;
  if (host === undefined) {
    if (current) return 400;
  } else if (host !== knownHost) {
    if (!isHost(host)) return 400;
    knownHost = host;
  }
  const coding = headers["transfer-encoding"];
  if (coding !== undefined) {
    if (!current) return 400;
    // Node puts several fields together, and reads chunks where the last coding is chunked.
    if (coding.toLowerCase() !== "chunked") return 501;
  }
  const length = headers["content-length"];
  if (length !== undefined && Number(length) > Number.MAX_SAFE_INTEGER) return 400;
  // Behind the head of a CONNECT begins the tunnel, whatever a length says.
  if (
    (method === "TRACE" || method === "CONNECT") &&
    (coding !== undefined || (length !== undefined && Number(length) > 0))
  )
    return 400;
  const { expect } = headers;
  if (expect !== undefined && current && expect.toLowerCase() !== "100-continue") return 417;
  return undefined;
}
