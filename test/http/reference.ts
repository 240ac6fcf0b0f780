/**
 * A reference reader of requests, for tests: slow and simple, line by line over the whole text, with the RFC's grammar
 * as regular expressions, each with its section. It shares no code with the parser, so that the two can be compared. It
 * notices errors at the end of a line or head; the parser may notice them earlier.
 *
 * It can also read as leniently as node's parser does, in the ways that `Lenience` lists: each is a row of docs/http.md.
 */
import type { RequestLimits } from "../../src/http/head-limit.ts";
import type { Reading, ReadRequest } from "./corpus.ts";

/** The leniences of another recipient. */
export interface Lenience {
  /** Any number of CR and LF before a request line (RFC 9112 section 2.2 allows one CRLF). */
  readonly lineEndsBefore: boolean;
  /** Several spaces around the target (RFC 9112 section 3). */
  readonly spacesAroundTarget: boolean;
  /** Any bytes after `;` in a chunk's first line (RFC 9112 section 7.1.1). */
  readonly anyExtension: boolean;
  /** Leading zeros of a chunk size beyond 16 digits. */
  readonly zeros: boolean;
  /** Fields in a trailer section that must not be there (RFC 9110 section 6.5.1). */
  readonly anyTrailer: boolean;
  /** `Proxy-Connection` is read as `Connection`. */
  readonly proxyConnection: boolean;
  /** `Connection: close` is not understood if there is a tab in the value (RFC 9110 section 5.6.3: OWS). */
  readonly tabHidesClose: boolean;
  /** `keep-alive` in HTTP/1.0 wins against `close` (RFC 9112 section 9.3: close wins). */
  readonly keepAliveWins: boolean;
  /** The app declines each change of the protocol, so HTTP goes on behind the request (RFC 9110 section 7.8). */
  readonly declinesUpgrades: boolean;
}

export const STRICT: Lenience = {
  lineEndsBefore: false,
  spacesAroundTarget: false,
  anyExtension: false,
  zeros: false,
  anyTrailer: false,
  proxyConnection: false,
  tabHidesClose: false,
  keepAliveWins: false,
  declinesUpgrades: false,
};

class Refused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`refused with ${status}`);
    this.status = status;
  }
}

/** The text ends too early. */
class Cut extends Error {}

type Pair = [string, string];

/** RFC 9112 section 3; a method is a token, RFC 9110 section 5.6.2. */
const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~\w]+) ([\x21\x22\x24-\x7e]+) HTTP\/(\d)\.(\d)$/;
const SPACED_REQUEST_LINE = /^([!#$%&'*+\-.^_`|~\w]+) +([\x21\x22\x24-\x7e]+) +HTTP\/(\d)\.(\d)$/;
/** RFC 9112 section 5, with the values of RFC 9110 section 5.5. */
const FIELD =
  /^([!#$%&'*+\-.^_`|~\w]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*$/;
/** RFC 3986 sections 3.2.2 and 3.2.3. */
const AUTHORITY = /^(\[[^\]]*\]|(?:[\w\-.~!$&'()*+,;=]|%[\dA-Fa-f]{2})*)(?::(\d*))?$/;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
/** RFC 9112 sections 7.1 and 7.1.1. */
const CHUNK_LINE =
  /^([\dA-Fa-f]+)((?:[ \t]*;[ \t]*[!#$%&'*+\-.^_`|~\w]+(?:[ \t]*=[ \t]*(?:[!#$%&'*+\-.^_`|~\w]+|"(?:[\t !\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"))?)*)$/;

const ANY_CHUNK_LINE = /^([\dA-Fa-f]+)((?:[ \t]*;[^\r\n\0]*)?)$/;

const LARGEST = 2n ** 53n - 1n;
const EXTENSION_BYTES = 4096;
const NODE_EXTENSION_BYTES = 16384;
const SIZE_DIGITS = 16;

/** RFC 9110 section 6.5.1: fields that frame, route, authenticate or describe a message, or its response. */
export const FORBIDDEN_TRAILERS =
  /^(?:transfer-encoding|content-(?:length|encoding|type|range)|trailer|host|connection|proxy-connection|keep-alive|upgrade|te|expect|max-forwards|range|if-(?:match|none-match|range|modified-since|unmodified-since)|(?:proxy-)?authorization|(?:set-)?cookie|cache-control|pragma|age|date|expires|location|retry-after|vary|via|warning|forwarded|x-forwarded-(?:for|host|port|prefix|proto)|(?:www|proxy)-authenticate)$/i;

/** RFC 3986 section 3.2.2, IPv6address, by counting groups. */
function isIPv6(address: string): boolean {
  const halves = address.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  const last = groups.at(-1) ?? "";
  const dotted = last.includes(".");
  if (dotted && (!IPV4.test(last) || address.endsWith("::"))) return false;
  if (!groups.slice(0, dotted ? -1 : undefined).every((group) => /^[\dA-Fa-f]{1,4}$/.test(group)))
    return false;
  const size = groups.length + (dotted ? 1 : 0);
  return halves.length === 2 ? size < 8 : size === 8;
}

/** uri-host [ ":" port ]: returns the host and the port; undefined if invalid. */
export function authority(text: string): { host: string; port: string | undefined } | undefined {
  const match = AUTHORITY.exec(text);
  if (match === null) return undefined;
  const host = match[1] as string;
  const port = match[2];
  if (host.startsWith("[") && !isIPv6(host.slice(1, -1))) return undefined;
  if (port !== undefined && (port.length > 5 || Number(port) > 65535)) return undefined;
  return { host, port };
}

/** RFC 9112 section 3.2. */
export function isTarget(method: string, target: string): boolean {
  if (method === "CONNECT") {
    const found = authority(target);
    return found !== undefined && found.host !== "" && found.port !== undefined && found.port !== "";
  }
  if (target.startsWith("/")) return true;
  if (target === "*") return method === "OPTIONS";
  const absolute = /^https?:\/\/([^/?]*)/i.exec(target);
  return absolute !== null && (authority(absolute[1] as string)?.host ?? "") !== "";
}

/** RFC 9110 section 5.6.1. */
function members(fields: Pair[], name: string): string[] {
  return values(fields, name)
    .flatMap((value) => value.split(","))
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, "").toLowerCase());
}

function values(fields: Pair[], name: string): string[] {
  return fields.filter((field) => field[0].toLowerCase() === name).map((field) => field[1]);
}

interface Head {
  request: ReadRequest;
  /** Bytes of content, or "chunked". */
  framing: bigint | "chunked";
  persistent: boolean;
}

class Reference {
  readonly #text: string;
  readonly #limits: RequestLimits;
  readonly #lenience: Lenience;
  #at = 0;
  #partial: ReadRequest | undefined;

  constructor(bytes: Uint8Array, limits: RequestLimits, lenience: Lenience) {
    this.#text = Buffer.from(bytes).toString("latin1");
    this.#limits = limits;
    this.#lenience = lenience;
  }

  read(): Reading {
    const requests: ReadRequest[] = [];
    const result = (ending: Reading["ending"]): Reading => ({
      requests,
      ...(this.#partial === undefined ? {} : { partial: this.#partial }),
      ending,
    });
    try {
      for (;;) {
        this.#skipLineEnds();
        if (this.#at === this.#text.length) return result("open");
        const head = this.#head();
        this.#partial = head.request;
        this.#content(head);
        this.#partial = undefined;
        requests.push(head.request);
        const tunnel = head.request.method === "CONNECT";
        if (head.request.upgrade && (tunnel || !this.#lenience.declinesUpgrades)) return result("upgrade");
        if (!head.persistent) return result("closed");
      }
    } catch (error) {
      if (error instanceof Cut) return result("incomplete");
      if (error instanceof Refused) return result({ refused: error.status });
      throw error;
    }
  }

  /** RFC 9112 section 2.2. */
  #skipLineEnds(): void {
    if (this.#lenience.lineEndsBefore) {
      while (/^[\r\n]/.test(this.#text.slice(this.#at, this.#at + 1))) this.#at += 1;
    } else if (this.#text.startsWith("\r\n", this.#at)) this.#at += 2;
  }

  /**
   * Returns the line up to the next CRLF. It must not contain anything that another reader might take for a line end.
   */
  #line(limit: number, status: number): string {
    const end = this.#text.indexOf("\r\n", this.#at);
    const line = this.#text.slice(this.#at, end === -1 ? undefined : end);
    const flaw = line.search(end === -1 ? /[\0\n]|\r(?!$)/ : /[\0\n\r]/);
    if (flaw !== -1 && flaw <= limit) throw new Refused(400);
    if (line.replace(/\r$/, "").length > limit)
      throw new Refused(this.#malformedBefore(line, limit) ? 400 : status);
    if (end === -1) throw new Cut();
    this.#at = end + 2;
    return line;
  }

  /** The first error counts: a control character within the limit comes before the limit. */
  #malformedBefore(line: string, limit: number): boolean {
    return /[\x00-\x08\x0a-\x1f\x7f]/.test(line.slice(0, limit));
  }

  #head(): Head {
    const start = this.#at;
    const form = this.#lenience.spacesAroundTarget ? SPACED_REQUEST_LINE : REQUEST_LINE;
    const line = form.exec(this.#line(this.#limits.requestLine, 414));
    if (line === null) throw new Refused(400);
    const [, method, target, major, minor] = line as unknown as [string, string, string, string, string];
    if (major !== "1" || (minor !== "0" && minor !== "1")) throw new Refused(505);
    const httpVersion = `1.${minor}` as const;
    const headers = this.#fields();
    if (!isTarget(method, target)) throw new Refused(400);
    this.#checkHost(httpVersion, headers);
    const framing = this.#framing(method, httpVersion, headers);
    const connection = members(headers, "connection");
    if (this.#lenience.proxyConnection) connection.push(...members(headers, "proxy-connection"));
    const current = httpVersion === "1.1";
    const keeps = !current && connection.includes("keep-alive");
    const closes =
      connection.includes("close") &&
      !(this.#lenience.keepAliveWins && keeps) &&
      !(this.#lenience.tabHidesClose && /^connection:.*\t/im.test(this.#text.slice(start, this.#at)));
    const expected = current ? values(headers, "expect").map((value) => value.toLowerCase()) : [];
    if (expected.length > 1 || (expected.length === 1 && expected[0] !== "100-continue"))
      throw new Refused(417);
    const upgrade =
      current && connection.includes("upgrade") && (values(headers, "upgrade").at(-1) ?? "") !== "";
    return {
      request: {
        method,
        target,
        httpVersion,
        headers,
        body: "",
        trailers: [],
        upgrade: upgrade || method === "CONNECT",
        expectContinue: expected.length === 1 && framing !== 0n,
      },
      framing,
      persistent: !closes && (current || keeps),
    };
  }

  #fields(): Pair[] {
    const fields: Pair[] = [];
    for (;;) {
      const full = fields.length === this.#limits.fields;
      if (full && !/^(?:\r(?:\n|$)|$)/.test(this.#text.slice(this.#at, this.#at + 2))) throw new Refused(431);
      const line = this.#line(this.#limits.fieldSize, 431);
      if (line === "") return fields;
      const field = FIELD.exec(line);
      if (field === null) throw new Refused(400);
      fields.push([field[1] as string, field[2] as string]);
    }
  }

  /** RFC 9112 section 3.2. */
  #checkHost(version: string, headers: Pair[]): void {
    const hosts = values(headers, "host");
    if (hosts.length > 1 || (version === "1.1" && hosts.length === 0)) throw new Refused(400);
    if (hosts.some((host) => authority(host) === undefined)) throw new Refused(400);
  }

  /** RFC 9112 section 6.3; lengths: RFC 9110 section 8.6. */
  #framing(method: string, version: string, headers: Pair[]): bigint | "chunked" {
    const codings = values(headers, "transfer-encoding");
    const lengths = values(headers, "content-length");
    if (lengths.some((length) => !/^\d+$/.test(length) || BigInt(length) > LARGEST)) throw new Refused(400);
    if (codings.length > 0 && (version === "1.0" || lengths.length > 0)) throw new Refused(400);
    if (codings.length > 1 || (codings.length === 1 && codings[0]?.toLowerCase() !== "chunked"))
      throw new Refused(501);
    if (lengths.length > 1) throw new Refused(400);
    const framing = codings.length > 0 ? "chunked" : BigInt(lengths[0] ?? "0");
    if ((method === "TRACE" || method === "CONNECT") && framing !== 0n) throw new Refused(400);
    return framing;
  }

  #content({ request, framing }: Head): void {
    if (framing === "chunked") this.#chunks(request);
    else this.#data(request, framing);
  }

  #data(request: ReadRequest, length: bigint): void {
    const available = BigInt(this.#text.length - this.#at);
    const size = Number(length < available ? length : available);
    request.body += this.#text.slice(this.#at, this.#at + size);
    this.#at += size;
    if (available < length) throw new Cut();
  }

  #chunks(request: ReadRequest): void {
    let room = this.#lenience.anyExtension ? NODE_EXTENSION_BYTES : EXTENSION_BYTES;
    for (;;) {
      const start = /^[\dA-Fa-f]*/.exec(this.#text.slice(this.#at)) as RegExpExecArray;
      const digits = start[0].length;
      const many = digits > SIZE_DIGITS && !this.#lenience.zeros;
      if (many || BigInt(`0x0${start[0]}`) > LARGEST) throw new Refused(400);
      const form = this.#lenience.anyExtension ? ANY_CHUNK_LINE : CHUNK_LINE;
      const line = form.exec(this.#line(digits + room, 413));
      if (line === null) throw new Refused(400);
      room -= (line[2] as string).length;
      const size = BigInt(`0x${line[1]}`);
      if (size === 0n) break;
      this.#data(request, size);
      this.#crlf();
    }
    request.trailers = this.#trailers();
  }

  #crlf(): void {
    const next = this.#text.slice(this.#at, this.#at + 2);
    if (next === "" || next === "\r") throw new Cut();
    if (next !== "\r\n") throw new Refused(400);
    this.#at += 2;
  }

  #trailers(): Pair[] {
    const trailers = this.#fields();
    if (!this.#lenience.anyTrailer && trailers.some(([name]) => FORBIDDEN_TRAILERS.test(name)))
      throw new Refused(400);
    return trailers;
  }
}

/** Returns the requests and how they end. */
export function readByReference(bytes: Uint8Array, limits: RequestLimits, lenience = STRICT): Reading {
  return new Reference(bytes, limits, lenience).read();
}
