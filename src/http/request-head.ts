/** The head of a parsed request. Field names and values are extracted on demand. */

import { type FieldPicker, findField, joinValues, trimOws } from "./field-picker.ts";

/** A request up to its content. */
export interface RequestHead {
  readonly method: string;
  /** The request-target exactly as received. */
  readonly target: string;
  readonly httpVersion: "1.0" | "1.1" | "2.0";
  /** Alternating names and values (Latin-1) as received, without the white space around values. */
  readonly rawHeaders: string[];
  /** Whether the connection may persist after this request (RFC 9112 section 9.3). */
  readonly keepAlive: boolean;
  /** Whether the client asks for a protocol change: `Connection: upgrade` with `Upgrade`, or CONNECT. */
  readonly upgrade: boolean;
  /** Whether the client expects a 100 before it sends the content (RFC 9110 section 10.1.1). */
  readonly expectContinue: boolean;
  /** Bytes of content: 0 for none, undefined if chunked. */
  readonly contentLength: number | undefined;
  /** Whether there is an X-Forwarded-Prefix. Without one, the path is known without looking at the fields. */
  readonly prefixed: boolean;
  /** Whether there is an X-Request-Start. */
  readonly timed: boolean;
  /** The value of Host; empty without one. */
  readonly host: string;
  /** Sets the values of the picker's fields, in the order of its names. */
  pick(picker: FieldPicker, values: (string | undefined)[]): void;
  /** Returns a field's value, repeated fields joined as a list (RFC 9110 section 5.3). `name` is in lower case. */
  field(name: string): string | undefined;
}

/** A head kept as one validated string, because most handlers never read most fields. */
export class ParsedHead implements RequestHead {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: "1.0" | "1.1";
  readonly keepAlive: boolean;
  readonly upgrade: boolean;
  readonly expectContinue: boolean;
  readonly contentLength: number | undefined;
  readonly prefixed: boolean;
  readonly timed: boolean;
  readonly host: string;
  /** The field section, lines ended by CRLF; released once `rawHeaders` is made from it. */
  #section: string;
  #rawHeaders: string[] | undefined;

  constructor(
    method: string,
    target: string,
    httpVersion: "1.0" | "1.1",
    keepAlive: boolean,
    upgrade: boolean,
    expectContinue: boolean,
    contentLength: number | undefined,
    prefixed: boolean,
    timed: boolean,
    host: string,
    section: string,
  ) {
    this.method = method;
    this.target = target;
    this.httpVersion = httpVersion;
    this.keepAlive = keepAlive;
    this.upgrade = upgrade;
    this.expectContinue = expectContinue;
    this.contentLength = contentLength;
    this.prefixed = prefixed;
    this.timed = timed;
    this.host = host;
    this.#section = section;
  }

  get rawHeaders(): string[] {
    if (this.#rawHeaders === undefined) {
      this.#rawHeaders = splitFields(this.#section);
      this.#section = "";
    }
    return this.#rawHeaders;
  }

  /** Searches the section until it has been split into `rawHeaders`. */
  pick(picker: FieldPicker, values: (string | undefined)[]): void {
    if (this.#rawHeaders === undefined) picker.pick(this.#section, values);
    else for (const [index, name] of picker.names.entries()) values[index] = this.field(name);
  }

  field(name: string): string | undefined {
    const fields = this.#rawHeaders;
    if (fields === undefined) return findField(this.#section, name);
    let value: string | undefined;
    for (let index = 0; index < fields.length; index += 2) {
      const candidate = fields[index] as string;
      if (candidate.length !== name.length || candidate.toLowerCase() !== name) continue;
      value = joinValues(value, fields[index + 1] as string);
    }
    return value;
  }
}

/** Splits a validated field section (`name: value CRLF` lines) into alternating names and values. */
export function splitFields(section: string): string[] {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    // Searching for one character is far faster than for two, and in a validated section LF only follows CR.
    const lineEnd = section.indexOf("\n", at) - 1;
    if (lineEnd <= at) return fields;
    const colon = section.indexOf(":", at);
    fields.push(section.substring(at, colon), trimOws(section, colon + 1, lineEnd));
    at = lineEnd + 2;
  }
}
