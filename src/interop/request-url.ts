/**
 * The URL of a request for fetch, equal to `new URL(…).href`. Parsing is a good part of the cost of a small request, so
 * URLs that the parser would leave unchanged skip it. Hosts are few and are parsed once each.
 */
import { HttpError } from "../errors.ts";
import type { GatewayRequest } from "../gateway/types.ts";

/** Paths that the parser leaves unchanged: no segment begins with a dot and nothing needs encoding (WHATWG URL, 4.4). */
const PLAIN_PATH = /^(?:\/(?:[\w~!$&()*+,;=:@-][\w~!$&()*+,;=:@.-]*)?)+$/;
const PLAIN_QUERY = /^[\w~!$&()*+,;=:@/?%.-]*$/;

/** Longer targets go straight to the parser: testing them first would cost twice. */
const MAX_PLAIN_LENGTH = 2048;

/** Origins by scheme and host as received. Bounded, because a client can make up any number of hosts. */
const origins = new Map<string, string>();
const MAX_ORIGINS = 256;

/** The scheme and host of the last plain URL, which nearly every request repeats. */
let lastScheme = "";
let lastHost = "";
let lastOrigin = "";

/** @throws HttpError 400 for a host that is invalid in a URL */
export function requestUrl(request: GatewayRequest): string {
  const { scheme, host, rootPath, path, query } = request;
  // Only `OPTIONS *` has the path `*`. No URL can express it, so it becomes `/*`.
  const absolute = path === "*" ? "/*" : rootPath === "" ? path : rootPath + path;
  const target = query === "" ? absolute : `${absolute}?${query}`;
  if (
    target.length <= MAX_PLAIN_LENGTH &&
    PLAIN_PATH.test(absolute) &&
    (query === "" || PLAIN_QUERY.test(query))
  ) {
    if (host === lastHost && scheme === lastScheme) return lastOrigin + target;
    const origin = plainOrigin(scheme, host);
    if (origin !== undefined) return origin + target;
  }
  return parseUrl(authority(scheme, host) + target, host).href;
}

function authority(scheme: string, host: string): string {
  return `${scheme}://${host || "localhost"}`;
}

/** The origin of a scheme and host; undefined if their URL has more than an origin. */
function plainOrigin(scheme: string, host: string): string | undefined {
  const key = authority(scheme, host);
  let origin = origins.get(key);
  if (origin === undefined) {
    const url = parseUrl(key, host);
    if (url.href !== `${url.origin}/`) return undefined;
    origin = url.origin;
    if (origins.size >= MAX_ORIGINS) origins.clear();
    origins.set(key, origin);
  }
  lastScheme = scheme;
  lastHost = host;
  lastOrigin = origin;
  return origin;
}

function parseUrl(text: string, host: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new HttpError(400, `the host ${JSON.stringify(host)} is not valid in a URL`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new HttpError(
      400,
      `the host ${JSON.stringify(host)} contains credentials, which a request's URL must not have`,
    );
  }
  return url;
}
