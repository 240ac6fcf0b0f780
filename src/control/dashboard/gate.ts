/**
 * Decides who may use the dashboard. Without a token only those who can reach a loopback address or a Unix socket themselves,
 * and by no other name: then neither another machine, nor a web page through a visitor's browser (DNS rebinding), nor a
 * proxy's clients come in. Everyone else needs the token. The name does not matter to them, since a browser sends a
 * session's cookie only to the name that has set it.
 */
import { timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Address } from "../../config/address.ts";
import { HttpError } from "../../errors.ts";

/** The condition for access: none, or the token; otherwise the reason why there is no access. */
export type Admission = "open" | "token" | { readonly refusal: string };

const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i;
/** The same with a port, as in the field Host. */
const LOOPBACK_AUTHORITY = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

/** A proxy adds one of these, or can be told to. */
const PROXY_FIELDS = [
  "forwarded",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
];

/** Whether only processes of this machine can connect. */
export function isLocalAddress(address: Address): boolean {
  return address.kind === "unix" || LOOPBACK_HOST.test(address.host);
}

export function admission(address: Address, hasToken: boolean, headers: IncomingHttpHeaders): Admission {
  if (hasToken) return "token";
  if (!isLocalAddress(address))
    return refused("it is shown without a token only on a loopback address or a Unix socket");
  const { host = "" } = headers;
  if (!LOOPBACK_AUTHORITY.test(host))
    return refused(
      `without a token it answers only to localhost, 127.0.0.1 and [::1], not to the Host ${JSON.stringify(host.slice(0, 100))}`,
    );
  const field = PROXY_FIELDS.find((name) => headers[name] !== undefined);
  if (field !== undefined)
    return refused(`the request came through a proxy (it has ${field}), whose clients need a token`);
  return "open";
}

function refused(why: string): Admission {
  return { refusal: `the dashboard is not available here: ${why}; set admin-token or admin-token-file` };
}

/**
 * Lets only the dashboard's own page change anything.
 * @throws HttpError 403 for a request that another site has made, 415 for content that a form could send
 */
export function requireSameOrigin(headers: IncomingHttpHeaders): void {
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin")
    throw new HttpError(403, "another site has made this request: use the dashboard's own page");
  const { origin, host = "" } = headers;
  if (origin !== undefined && originHost(origin) !== host.toLowerCase())
    throw new HttpError(
      403,
      `the request comes from ${JSON.stringify(origin.slice(0, 100))}, not from ${JSON.stringify(host.slice(0, 100))}: a proxy has to pass on Host as it came`,
    );
  const [type = ""] = (headers["content-type"] ?? "").split(";");
  if (type.trim().toLowerCase() !== "application/json")
    throw new HttpError(415, "send JSON, with the content type application/json");
}

function originHost(origin: string): string | undefined {
  return /^https?:\/\/([^/]+)$/.exec(origin.toLowerCase())?.[1];
}

/** Compares secrets in a time that tells nothing about them; both have passed a hash, or are of a known length. */
export function isSame(given: Buffer, expected: Buffer): boolean {
  return given.length === expected.length && timingSafeEqual(given, expected);
}
