/**
 * The URL of a request, for fetch: the text that `new URL` makes of it. To parse it is a good part of what a small request
 * costs, so that what the parser would leave as it is does not go through it; hosts are few, and are parsed once.
 */
import { HttpError } from "../errors.ts";
import type { GatewayRequest } from "../gateway/types.ts";

/** Paths that a URL has as they stand: no segment begins with a dot, and nothing has to be encoded (WHATWG URL, 4.4). */
const PLAIN_PATH = /^(?:\/(?:[\w~!$&()*+,;=:@-][\w~!$&()*+,;=:@.-]*)?)+$/;
const PLAIN_QUERY = /^[\w~!$&()*+,;=:@/?%.-]*$/;

/** What is longer is not looked at twice. */
const PLAIN_MAX = 2048;

/** Origins by scheme and host as they came; a client that makes hosts up must not fill the memory. */
const origins = new Map<string, string>();
const ORIGINS_MAX = 256;

/** @throws HttpError 400 for a host that has no place in a URL */
export function requestUrl(request: GatewayRequest): string {
  const { scheme, host, rootPath, path, query } = request;
  // `*` is the path of nothing but OPTIONS *: there is no URL for it but its text.
  const absolute = path === "*" ? "/*" : rootPath + path;
  const authority = `${scheme}://${host || "localhost"}`;
  const target = query === "" ? absolute : `${absolute}?${query}`;
  if (target.length <= PLAIN_MAX && PLAIN_PATH.test(absolute) && PLAIN_QUERY.test(query)) {
    const origin = origins.get(authority) ?? plainOrigin(authority, host);
    if (origin !== undefined) return origin + target;
  }
  return parsed(authority + target, host).href;
}

/** The origin that an authority stands for; undefined where it is not all that it says. */
function plainOrigin(authority: string, host: string): string | undefined {
  const { origin, href } = parsed(authority, host);
  if (href !== `${origin}/`) return undefined;
  if (origins.size >= ORIGINS_MAX) origins.clear();
  origins.set(authority, origin);
  return origin;
}

function parsed(text: string, host: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new HttpError(400, `the host ${JSON.stringify(host)} has no place in a URL`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new HttpError(400, `the host ${JSON.stringify(host)} has no place in a request's URL`);
  }
  return url;
}
