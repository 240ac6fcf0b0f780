/**
 * The client and the original request, according to trusted proxies. Lists are walked from the right: the peer wrote
 * the last element, and each element that names a trusted proxy vouches for the one before it. The walk ends at the
 * first untrusted address or malformed element; nothing further left is read.
 */

import { isHost } from "../gateway/host.ts";
import { parseRootPath } from "../gateway/proxies.ts";
import type { Endpoint } from "../gateway/types.ts";
import { ownCopy } from "../native/own-copy.ts";
import {
  type ForwardedElement,
  isSingle,
  lastElements,
  lastQuotableElements,
  parseForwardedElement,
} from "./forwarded-list.ts";
import { parseForwardedNode } from "./forwarded-node.ts";
import type { ProxyRules } from "./proxy-rules.ts";

/** The information forwarded about a request; members that no proxy forwards are absent. */
export interface Forwarded {
  readonly remote: Endpoint;
  readonly scheme?: "http" | "https" | undefined;
  readonly host?: string | undefined;
  readonly port?: string | undefined;
  readonly rootPath?: string | undefined;
}

/** More proxies than any real chain has; a longer list is not followed further. */
const MAX_HOPS = 64;

/** The fields equivalent to Forwarded. If any of them is present, Forwarded is not read. */
const X_FIELDS = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"] as const;

const [F, X] = [0x66, 0x78];
const CASE_BIT = 0x20;

/** The fields that proxies set, repeated ones joined. */
export type ForwardedFields = { [name in ForwardedFieldName]?: string | undefined };
type ForwardedFieldName = (typeof X_FIELDS)[number] | "x-forwarded-prefix" | "forwarded";

/**
 * Collects the forwarded fields of alternating raw names and values; undefined if there are none, so that nothing needs
 * to be parsed. The first letter and the length rule out nearly all other names, which costs next to nothing.
 */
export function forwardedFields(raw: readonly string[]): ForwardedFields | undefined {
  let fields: ForwardedFields | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string;
    const letter = name.charCodeAt(0) | CASE_BIT;
    if (letter !== X && letter !== F) continue;
    const known = knownName(name);
    if (known === undefined) continue;
    fields ??= noFields();
    const before = fields[known];
    const value = raw[index + 1] as string;
    fields[known] = before === undefined ? value : `${before}, ${value}`;
  }
  return fields;
}

/** The field with this name in any case. Each length has one or two, most often spelled as proxies do. */
function knownName(name: string): ForwardedFieldName | undefined {
  switch (name.length) {
    case 9:
      return isName(name, "Forwarded", "forwarded") ? "forwarded" : undefined;
    case 15:
      return isName(name, "X-Forwarded-For", "x-forwarded-for") ? "x-forwarded-for" : undefined;
    case 16:
      if (isName(name, "X-Forwarded-Host", "x-forwarded-host")) return "x-forwarded-host";
      return isName(name, "X-Forwarded-Port", "x-forwarded-port") ? "x-forwarded-port" : undefined;
    case 17:
      return isName(name, "X-Forwarded-Proto", "x-forwarded-proto") ? "x-forwarded-proto" : undefined;
    case 18:
      return isName(name, "X-Forwarded-Prefix", "x-forwarded-prefix") ? "x-forwarded-prefix" : undefined;
  }
  return undefined;
}

function isName(name: string, usual: string, lower: string): boolean {
  return name === usual || name === lower || name.toLowerCase() === lower;
}

/** All members are there from the start, so that the objects of all requests have one shape. */
function noFields(): ForwardedFields {
  return {
    "x-forwarded-for": undefined,
    "x-forwarded-proto": undefined,
    "x-forwarded-host": undefined,
    "x-forwarded-port": undefined,
    "x-forwarded-prefix": undefined,
    forwarded: undefined,
  };
}

/**
 * Parses the forwarded fields of a request from a trusted peer.
 *
 * A proxy that sets the X-Forwarded fields passes on a Forwarded that the client forged, so the two are
 * never mixed: Forwarded counts only if the request has none of the X-Forwarded fields that the rules allow.
 */
export function readForwarded(fields: ForwardedFields, peer: Endpoint, rules: ProxyRules): Forwarded {
  const read = (field: ForwardedFieldName): string | undefined => {
    const value = fields[field];
    return value !== undefined && rules.reads(field) ? value : undefined;
  };
  const standard = read("forwarded");
  const prefix = read("x-forwarded-prefix");
  if (standard !== undefined && X_FIELDS.every((field) => read(field) === undefined)) {
    const { hops, ...described } = walkForwarded(standard, peer, rules);
    return { ...described, rootPath: joinedPrefix(prefix, hops) };
  }
  const { remote, hops } = walkFor(read("x-forwarded-for"), peer, rules);
  return {
    remote,
    scheme: outermostValue(read("x-forwarded-proto"), hops, parseScheme),
    host: outermostValue(read("x-forwarded-host"), hops, parseHost),
    port: outermostValue(read("x-forwarded-port"), hops, parsePort),
    rootPath: joinedPrefix(prefix, hops),
  };
}

/** An X-Request-ID that is safe to log: short, without delimiters, quotes or white space. */
const REQUEST_ID = /^[A-Za-z0-9._~:+/=@-]{1,128}$/;

/** A trusted peer's X-Request-ID; undefined if it is missing or unsafe to log. */
export function forwardedId(id: string | undefined, rules: ProxyRules): string | undefined {
  if (!rules.reads("x-request-id")) return undefined;
  return id !== undefined && REQUEST_ID.test(id) ? id : undefined;
}

/** Where a list of proxies leads, and the number of its elements that trusted proxies wrote, at least 1. */
export interface Walk {
  readonly remote: Endpoint;
  readonly hops: number;
  /** The list that leads there, if the rules remember it. */
  readonly list?: string;
}

/** Longer lists are walked each time: real ones are shorter, and clients could fill the memory with them. */
const MAX_KNOWN_LENGTH = 256;

/** Follows X-Forwarded-For. Clients return, so the rules remember where a list leads. */
export function walkFor(list: string | undefined, peer: Endpoint, rules: ProxyRules): Walk {
  if (list === undefined) return { remote: peer, hops: 1 };
  const known = rules.walks.get(list);
  if (known !== undefined) return known;
  if (list.length > MAX_KNOWN_LENGTH) return walkAnew(list, peer, rules);
  const copy = ownCopy(list);
  const walk = walkAnew(copy, peer, rules);
  // A malformed list leads to the peer, which differs between requests.
  if (walk.remote !== peer)
    rules.walks.set(copy, Object.freeze({ ...walk, remote: Object.freeze(walk.remote), list: copy }));
  return walk;
}

function walkAnew(list: string, peer: Endpoint, rules: ProxyRules): Walk {
  let remote = peer;
  let hops = 0;
  const elements = lastElements(list, MAX_HOPS);
  for (const element of elements) {
    const node = parseForwardedNode(element);
    if (node === undefined) break;
    remote = node;
    hops += 1;
    // Nobody asks whether the leftmost one is trusted: there is no more to read.
    if (hops === elements.length || !rules.trusts(node)) break;
  }
  return { remote, hops: Math.max(1, hops) };
}

/** The value from the outermost trusted proxy. The list may have fewer elements, as not all proxies append. */
function outermostValue<T>(
  list: string | undefined,
  hops: number,
  read: (text: string) => T | undefined,
): T | undefined {
  if (list === undefined) return undefined;
  if (isSingle(list)) return read(list);
  let value: T | undefined;
  for (const element of lastElements(list, hops)) {
    const next = read(element);
    if (next === undefined) break;
    value = next;
  }
  return value;
}

/** Joins the prefixes, the outermost proxy's first: each proxy strips its own from the path the client requested. */
function joinedPrefix(list: string | undefined, hops: number): string | undefined {
  if (list === undefined) return undefined;
  let joined: string | undefined;
  for (const element of lastElements(list, hops)) {
    const prefix = parseRootPath(element);
    if (prefix === undefined) break;
    joined = prefix + (joined ?? "");
  }
  return joined;
}

function walkForwarded(list: string, peer: Endpoint, rules: ProxyRules): Forwarded & { hops: number } {
  const result: { remote: Endpoint; scheme?: "http" | "https"; host?: string } = { remote: peer };
  let hops = 0;
  for (const text of lastQuotableElements(list, MAX_HOPS)) {
    const element = parseForwardedElement(text);
    if (element === undefined || !readSchemeAndHost(element, result)) break;
    hops += 1;
    const node = element.for === undefined ? undefined : parseForwardedNode(element.for);
    if (node === undefined) break;
    result.remote = node;
    if (!rules.trusts(node)) break;
  }
  return { ...result, hops: Math.max(1, hops) };
}

/** Copies an element's scheme and host to `result`; false, without any change, if one of them is malformed. */
function readSchemeAndHost(
  { proto, host }: ForwardedElement,
  result: { scheme?: "http" | "https"; host?: string },
): boolean {
  const scheme = proto === undefined ? undefined : parseScheme(proto);
  const authority = host === undefined ? undefined : parseHost(host);
  if ((proto !== undefined && scheme === undefined) || (host !== undefined && authority === undefined))
    return false;
  if (scheme !== undefined) result.scheme = scheme;
  if (authority !== undefined) result.host = authority;
  return true;
}

const SCHEMES: { readonly [name: string]: "http" | "https" } = Object.assign(Object.create(null), {
  http: "http",
  https: "https",
  ws: "http",
  wss: "https",
});

function parseScheme(text: string): "http" | "https" | undefined {
  return SCHEMES[text.toLowerCase()];
}

function parseHost(text: string): string | undefined {
  return text !== "" && text[0] !== ":" && isHost(text) ? text : undefined;
}

function parsePort(text: string): string | undefined {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65535 ? text : undefined;
}

const DEFAULT_PORTS = { http: "80", https: "443" };

/** Adds the port that the client used to a host without one, unless it is the default port of the scheme. */
export function hostWithPort(host: string, port: string | undefined, scheme: "http" | "https"): string {
  if (port === undefined || host === "" || port === DEFAULT_PORTS[scheme] || /:\d*$/.test(host)) return host;
  return `${host}:${port}`;
}
