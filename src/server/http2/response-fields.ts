/** The fields of a response as node:http2 takes them: by lower-case name, without those of an HTTP/1.1 connection. */
import type { OutgoingHttpHeaders } from "node:http2";

/** RFC 9113 section 8.2.2. `te` and `http2-settings` are requests'. */
const CONNECTION_FIELDS = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** Fields that node:http2 sends once only. The first one counts, as in `request.headers`. */
const SINGLE = new Set([
  "access-control-allow-credentials",
  "access-control-max-age",
  "access-control-request-method",
  "age",
  "authorization",
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
  "content-md5",
  "content-range",
  "content-type",
  "date",
  "dnt",
  "etag",
  "expires",
  "from",
  "host",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "last-modified",
  "location",
  "max-forwards",
  "proxy-authorization",
  "range",
  "referer",
  "retry-after",
  "tk",
  "upgrade-insecure-requests",
  "user-agent",
  "x-content-type-options",
]);

/** @param name in lower case */
export function isConnectionField(name: string): boolean {
  return CONNECTION_FIELDS.has(name);
}

/** Whether node:http2 takes only one value of it. @param name in lower case */
export function isSingleField(name: string): boolean {
  return SINGLE.has(name);
}

/** @param fields alternating valid names and values */
export function responseFields(fields: readonly string[]): OutgoingHttpHeaders {
  // A name may be that of a member of Object.
  const headers: OutgoingHttpHeaders = Object.create(null);
  for (let index = 0; index < fields.length; index += 2) {
    const name = (fields[index] as string).toLowerCase();
    if (CONNECTION_FIELDS.has(name)) continue;
    const value = fields[index + 1] as string;
    const earlier = headers[name];
    if (earlier === undefined) headers[name] = value;
    else if (Array.isArray(earlier)) earlier.push(value);
    else if (!SINGLE.has(name)) headers[name] = [String(earlier), value];
  }
  return headers;
}
