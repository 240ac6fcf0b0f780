/**
 * Who asks, and for what, by the word of trusted proxies. Lists are walked from the right: the peer wrote the
 * last element, and as long as the element names somebody trusted, that one wrote the element before it. The walk ends
 * with the first who is not trusted, or at what cannot be read: nothing beyond that is looked at.
 */
import { isHost } from "../gateway/host.ts";
import { rootPathOf } from "../gateway/proxies.ts";
import type { Endpoint, Fields } from "../gateway/types.ts";
import {
  type ForwardedElement,
  forwardedElement,
  lastElements,
  lastQuotableElements,
} from "./forwarded-list.ts";
import { forwardedNode } from "./forwarded-node.ts";
import type { ProxyRules } from "./proxy-rules.ts";

/** What is known of a request from its proxies; what they do not say is absent. */
export interface Forwarded {
  readonly remote: Endpoint;
  readonly scheme?: "http" | "https" | undefined;
  readonly host?: string | undefined;
  readonly port?: string | undefined;
  readonly rootPath?: string | undefined;
}

/** More proxies than anybody has; who lists more is not followed further. */
const MOST_HOPS = 64;

/** The fields that say the same as Forwarded. Where one of them is there, Forwarded is not read. */
const X_FIELDS = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"] as const;

/** The lengths of Forwarded, and of the shortest and the longest name of the X-Forwarded fields. */
const FORWARDED_LENGTH = 9;
const SHORTEST = 15;
const LONGEST = 18;
const [F, X] = [0x66, 0x78];
const LOWER = 0x20;

/**
 * Whether one of these raw names and values may be a field that proxies set: where none is, nothing has to be read. By
 * first letter and length alone, which costs nearly nothing; another name that looks the same does no harm.
 */
export function namesForwarded(raw: readonly string[]): boolean {
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string;
    const { length } = name;
    const letter = name.charCodeAt(0) | LOWER;
    if (letter === X ? length >= SHORTEST && length <= LONGEST : letter === F && length === FORWARDED_LENGTH)
      return true;
  }
  return false;
}

/**
 * Reads the fields of a request whose peer is trusted.
 *
 * A proxy that sets the X-Forwarded fields passes on a Forwarded that the client made up, so the two are
 * never mixed: Forwarded counts only in a request without any of the others that the rules let be read.
 */
export function readForwarded(fields: Fields, peer: Endpoint, rules: ProxyRules): Forwarded {
  const read = (field: (typeof X_FIELDS)[number] | "x-forwarded-prefix" | "forwarded"): string | undefined =>
    rules.reads(field) ? fields[field] : undefined;
  const standard = read("forwarded");
  const prefix = read("x-forwarded-prefix");
  if (standard !== undefined && X_FIELDS.every((field) => read(field) === undefined)) {
    const { hops, ...said } = walkForwarded(standard, peer, rules);
    return { ...said, rootPath: joinedPrefix(prefix, hops) };
  }
  const { remote, hops } = walkFor(read("x-forwarded-for"), peer, rules);
  return {
    remote,
    scheme: earliest(read("x-forwarded-proto"), hops, schemeOf),
    host: earliest(read("x-forwarded-host"), hops, hostOf),
    port: earliest(read("x-forwarded-port"), hops, portOf),
    rootPath: joinedPrefix(prefix, hops),
  };
}

/** An X-Request-ID that may stand in logs as it is: short, and of characters that end or quote nothing. */
const REQUEST_ID = /^[A-Za-z0-9._~:+/=@-]{1,128}$/;

/** The X-Request-ID of a trusted peer; undefined where it gave none, or none that is sane. */
export function forwardedId(id: string | undefined, rules: ProxyRules): string | undefined {
  if (!rules.reads("x-request-id")) return undefined;
  return id !== undefined && REQUEST_ID.test(id) ? id : undefined;
}

/** Follows X-Forwarded-For; `hops` is how many elements were written by trusted proxies, at least the last. */
function walkFor(
  list: string | undefined,
  peer: Endpoint,
  rules: ProxyRules,
): { remote: Endpoint; hops: number } {
  let remote = peer;
  let hops = 0;
  for (const element of list === undefined ? [] : lastElements(list, MOST_HOPS)) {
    const node = forwardedNode(element);
    if (node === undefined) break;
    remote = node;
    hops += 1;
    if (!rules.trusts(node)) break;
  }
  return { remote, hops: Math.max(1, hops) };
}

/** What the element that the outermost trusted proxy wrote says; proxies that do not append leave fewer. */
function earliest<T>(
  list: string | undefined,
  hops: number,
  read: (text: string) => T | undefined,
): T | undefined {
  let value: T | undefined;
  for (const element of list === undefined ? [] : lastElements(list, hops)) {
    const said = read(element);
    if (said === undefined) break;
    value = said;
  }
  return value;
}

/** Each proxy takes off a prefix of its own: together, from the outermost, they are what the client asked for. */
function joinedPrefix(list: string | undefined, hops: number): string | undefined {
  if (list === undefined) return undefined;
  let joined: string | undefined;
  for (const element of lastElements(list, hops)) {
    const prefix = rootPathOf(element);
    if (prefix === undefined) break;
    joined = prefix + (joined ?? "");
  }
  return joined;
}

function walkForwarded(list: string, peer: Endpoint, rules: ProxyRules): Forwarded & { hops: number } {
  const said: { remote: Endpoint; scheme?: "http" | "https"; host?: string } = { remote: peer };
  let hops = 0;
  for (const text of lastQuotableElements(list, MOST_HOPS)) {
    const element = forwardedElement(text);
    if (element === undefined || !hear(element, said)) break;
    hops += 1;
    const node = element.for === undefined ? undefined : forwardedNode(element.for);
    if (node === undefined) break;
    said.remote = node;
    if (!rules.trusts(node)) break;
  }
  return { ...said, hops: Math.max(1, hops) };
}

/** Takes what an element says of scheme and host; false, and nothing taken, where one of them is malformed. */
function hear(
  { proto, host }: ForwardedElement,
  said: { scheme?: "http" | "https"; host?: string },
): boolean {
  const scheme = proto === undefined ? undefined : schemeOf(proto);
  const authority = host === undefined ? undefined : hostOf(host);
  if ((proto !== undefined && scheme === undefined) || (host !== undefined && authority === undefined))
    return false;
  if (scheme !== undefined) said.scheme = scheme;
  if (authority !== undefined) said.host = authority;
  return true;
}

const SCHEMES: { readonly [name: string]: "http" | "https" } = Object.assign(Object.create(null), {
  http: "http",
  https: "https",
  ws: "http",
  wss: "https",
});

function schemeOf(text: string): "http" | "https" | undefined {
  return SCHEMES[text.toLowerCase()];
}

function hostOf(text: string): string | undefined {
  return text !== "" && text[0] !== ":" && isHost(text) ? text : undefined;
}

function portOf(text: string): string | undefined {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65535 ? text : undefined;
}

const DEFAULT_PORTS = { http: "80", https: "443" };

/** An authority with the port that the client asked, where it names none and the port is not that of the scheme. */
export function hostWithPort(host: string, port: string | undefined, scheme: "http" | "https"): string {
  if (port === undefined || host === "" || port === DEFAULT_PORTS[scheme] || /:\d*$/.test(host)) return host;
  return `${host}:${port}`;
}
