/**
 * The rules for the fields of an HTTP/2 request (RFC 9113 section 8), each with its section: what an app has to see, or the
 * ways in which the request may be refused. It shares no code with the server.
 */
import type { RequestLimits } from "../../../../src/http/head-limit.ts";
import { FORBIDDEN_TRAILERS, isTarget, authority as readAuthority } from "../../reference.ts";
import type { SeenRequest } from "../socket-lane.ts";
import type { Field } from "./hpack.ts";

/** A malformed request: an error of the stream, of type PROTOCOL_ERROR, or a 400 before it (RFC 9113 section 8.1.1). */
export const MALFORMED = 400;

export interface ReadHead {
  readonly method: string;
  readonly target: string;
  readonly headers: [string, string][];
  /** Bytes of content, if they are declared. */
  readonly declared: number | undefined;
  /** An extended CONNECT (RFC 8441), whose stream is no request. */
  readonly isTunnel: boolean;
  /** The statuses of which one has to come; empty for a request that is in order. */
  readonly refusals: ReadonlySet<number>;
  /** Whether fields were left out that make the request malformed. */
  readonly dropped: boolean;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/;
/** RFC 9110 section 5.5, and RFC 9113 section 8.2.1: no white space at the ends. */
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const CONNECTION_FIELDS = /^(?:connection|proxy-connection|keep-alive|transfer-encoding|upgrade)$/;
const PSEUDO = /^:(?:method|scheme|authority|path|protocol)$/;
const OVERHEAD = 32;
/** Those of an authority (RFC 3986 section 3.2), in any order. */
const HOST_CHARACTERS = /^[\w\-.~!$&'()*+,;=:[\]%]*$/;

/**
 * RFC 9113 section 8.2.1 calls these malformed. nghttp2, with which node:http2 reads, leaves them out, as if they had not
 * been sent; docs/http2.md says so. Upper case it refuses.
 */
export function isDropped([name, value]: Field): boolean {
  if (name.startsWith(":") || /[A-Z]/.test(name)) return false;
  return !TOKEN.test(name) || !VALUE.test(value) || (name === "host" && !HOST_CHARACTERS.test(value));
}

/** RFC 9113 section 6.5.2. */
export function listSize(fields: readonly Field[]): number {
  return fields.reduce((sum, [name, value]) => sum + name.length + value.length + OVERHEAD, 0);
}

class Rules {
  readonly refusals = new Set<number>();
  readonly #limits: RequestLimits;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  demand(holds: boolean, status = MALFORMED): void {
    if (!holds) this.refusals.add(status);
  }

  /** RFC 9113 sections 8.2.1 and 8.2.2. */
  field([name, value]: Field): void {
    this.demand(TOKEN.test(name) && !/[A-Z]/.test(name));
    this.demand(VALUE.test(value));
    this.demand(!CONNECTION_FIELDS.test(name));
    this.demand(name !== "te" || value === "trailers");
  }

  /** The limits of HTTP/1.1 hold for the same fields. */
  limits(fields: readonly (readonly [string, string])[]): void {
    this.demand(fields.length <= this.#limits.fields, 431);
    for (const [name, value] of fields)
      this.demand(name.length + value.length + ": ".length <= this.#limits.fieldSize, 431);
  }

  requestLine(method: string, target: string): void {
    this.demand(`${method} ${target} HTTP/1.1`.length <= this.#limits.requestLine, 414);
  }
}

/** RFC 9113 section 8.2.3. */
function withOneCookie(fields: readonly Field[]): [string, string][] {
  const joined: [string, string][] = [];
  let cookie: [string, string] | undefined;
  for (const [name, value] of fields) {
    if (name === "cookie" && cookie !== undefined) cookie[1] += `; ${value}`;
    else {
      const field: [string, string] = [name, value];
      if (name === "cookie") cookie = field;
      joined.push(field);
    }
  }
  return joined;
}

/** @param ends the request has no content */
export function readHead(all: readonly Field[], limits: RequestLimits, ends: boolean): ReadHead {
  const rules = new Rules(limits);
  const kept = all.filter((field) => !isDropped(field));
  const pseudo = all.filter(([name]) => name.startsWith(":"));
  const regular = kept.filter(([name]) => !name.startsWith(":"));
  const valuesOf = (name: string): string[] =>
    all.filter((field) => field[0] === name).map(([, value]) => value);
  // Section 8.3: before all others, each once, and no unknown ones.
  rules.demand(all.slice(0, pseudo.length).every(([name]) => name.startsWith(":")));
  rules.demand(pseudo.every(([name]) => PSEUDO.test(name)));
  rules.demand(new Set(pseudo.map(([name]) => name)).size === pseudo.length);
  for (const [, value] of pseudo) rules.demand(VALUE.test(value) && value !== "");
  for (const field of regular) rules.field(field);
  const [method = "", scheme, path, authority] = [":method", ":scheme", ":path", ":authority"].map(
    (name) => valuesOf(name)[0],
  );
  const protocol = valuesOf(":protocol")[0];
  rules.demand(TOKEN.test(method));
  const isConnect = method === "CONNECT" && protocol === undefined;
  const target = (isConnect ? authority : path) ?? "";
  checkTarget(rules, { method, scheme, path, authority, protocol, target, isConnect });
  rules.requestLine(method, target);
  const host = checkHost(rules, authority, regular);
  const declared = checkLength(rules, method, regular, ends);
  const expected = regular.filter(([name]) => name === "expect");
  rules.demand(
    expected.length === 0 || (expected.length === 1 && /^100-continue$/i.test(expected[0]?.[1] ?? "")),
    417,
  );
  const fields = withOneCookie(regular);
  rules.limits(fields);
  if (protocol !== undefined) rules.demand(protocol.toLowerCase() === "websocket", 501);
  const hasHost = regular.some(([name]) => name === "host");
  return {
    method,
    target,
    headers: hasHost ? fields : [["host", host], ...fields],
    declared,
    isTunnel: protocol !== undefined,
    refusals: rules.refusals,
    dropped: kept.length < all.length,
  };
}

interface Control {
  readonly method: string;
  readonly scheme: string | undefined;
  readonly path: string | undefined;
  readonly authority: string | undefined;
  readonly protocol: string | undefined;
  readonly target: string;
  readonly isConnect: boolean;
}

/** Sections 8.3.1 and 8.5, RFC 8441 section 4, and the forms of RFC 9112 section 3.2. */
function checkTarget(rules: Rules, control: Control): void {
  const { method, scheme, path, authority, protocol, target, isConnect } = control;
  if (isConnect) {
    rules.demand(scheme === undefined && path === undefined && authority !== undefined);
    rules.demand(isTarget("CONNECT", target));
    return;
  }
  rules.demand(protocol === undefined || method === "CONNECT");
  rules.demand(scheme === "http" || scheme === "https");
  rules.demand(/^[\x21\x22\x24-\x7e]+$/.test(target) && (target === "*" || target.startsWith("/")));
  rules.demand(target !== "*" || method === "OPTIONS");
}

/** Section 8.3.1: the two name the same, and a server of http needs one of them. */
function checkHost(rules: Rules, authority: string | undefined, fields: readonly Field[]): string {
  const hosts = fields.filter(([name]) => name === "host").map(([, value]) => value);
  rules.demand(hosts.length <= 1);
  const host = authority ?? hosts[0];
  rules.demand(host !== undefined && host !== "");
  for (const one of [...hosts, ...(authority === undefined ? [] : [authority])]) {
    rules.demand(readAuthority(one) !== undefined);
    rules.demand(one.toLowerCase() === host?.toLowerCase());
  }
  return host ?? "";
}

/** Section 8.1.1, with RFC 9110 section 8.6. RFC 9110 sections 9.3.6 and 9.3.8: neither CONNECT nor TRACE has content. */
function checkLength(
  rules: Rules,
  method: string,
  fields: readonly Field[],
  ends: boolean,
): number | undefined {
  const lengths = fields.filter(([name]) => name === "content-length").map(([, value]) => value);
  rules.demand(lengths.length <= 1 && lengths.every((length) => /^\d{1,15}$/.test(length)));
  const declared = lengths[0] === undefined ? undefined : Number(lengths[0]);
  rules.demand(!ends || declared === undefined || declared === 0);
  rules.demand(method !== "TRACE" || ends);
  rules.demand(method !== "CONNECT" || declared === undefined || declared === 0);
  return declared;
}

/** RFC 9113 section 8.1, and RFC 9110 section 6.5.1. */
export function readTrailers(
  all: readonly Field[],
  limits: RequestLimits,
): Pick<ReadHead, "refusals" | "dropped"> & { readonly trailers: SeenRequest["trailers"] } {
  const rules = new Rules(limits);
  const kept = all.filter((field) => !isDropped(field));
  for (const field of kept) rules.field(field);
  rules.demand(kept.every(([name]) => !FORBIDDEN_TRAILERS.test(name)));
  rules.limits(kept);
  const trailers = kept.map(([name, value]): [string, string] => [name, value]);
  return { refusals: rules.refusals, dropped: kept.length < all.length, trailers };
}
