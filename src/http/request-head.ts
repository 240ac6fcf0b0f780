/** The head of a request, as the parser found it. Strings are cut from it when they are asked for. */

import { type FieldPicker, fieldIn, joined, trimmed } from "./field-picker.ts";

/** What the parser learned of a request before its content. */
export interface RequestHead {
  readonly method: string;
  /** The request-target exactly as received. */
  readonly target: string;
  readonly httpVersion: "1.0" | "1.1";
  /** Names and values in turn, as received, white space around values removed. Bytes are Latin-1. */
  readonly rawHeaders: string[];
  /** Whether the client wants the connection kept (RFC 9112 section 9.3). */
  readonly keepAlive: boolean;
  /** Whether the client asks to change protocols: `Connection: upgrade` with `Upgrade`, or CONNECT. */
  readonly upgrade: boolean;
  /** Whether the client waits for a 100 before it sends the content (RFC 9110 section 10.1.1). */
  readonly expectContinue: boolean;
  /** Bytes of content; 0 when there is none, undefined when it comes in chunks. */
  readonly contentLength: number | undefined;
  /** Whether there is an X-Forwarded-Prefix: without one, the path is known without the fields. */
  readonly prefixed: boolean;
  /** The values of a few fields, in the order of the picker's names. */
  pick(picker: FieldPicker): (string | undefined)[];
  /** The field with this name in lower case, several joined as a list (RFC 9110 section 5.3). */
  field(name: string): string | undefined;
}

/** A head held as one string that has been validated: most handlers never look at most fields. */
export class ParsedHead implements RequestHead {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: "1.0" | "1.1";
  readonly keepAlive: boolean;
  readonly upgrade: boolean;
  readonly expectContinue: boolean;
  readonly contentLength: number | undefined;
  readonly prefixed: boolean;
  /** The field section, each line ended by CRLF, until `rawHeaders` is made from it. */
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
    this.#section = section;
  }

  get rawHeaders(): string[] {
    if (this.#rawHeaders === undefined) {
      this.#rawHeaders = splitFields(this.#section);
      this.#section = "";
    }
    return this.#rawHeaders;
  }

  /** Looks in the section as long as nobody has had it cut up. */
  pick(picker: FieldPicker): (string | undefined)[] {
    return this.#rawHeaders === undefined
      ? picker.pick(this.#section)
      : picker.names.map((name) => this.field(name));
  }

  field(name: string): string | undefined {
    const fields = this.#rawHeaders;
    if (fields === undefined) return fieldIn(this.#section, name);
    let value: string | undefined;
    for (let index = 0; index < fields.length; index += 2) {
      const candidate = fields[index] as string;
      if (candidate.length !== name.length || candidate.toLowerCase() !== name) continue;
      value = joined(value, fields[index + 1] as string);
    }
    return value;
  }
}

/** Cuts a validated field section (`name: value CRLF` lines) into names and values. */
export function splitFields(section: string): string[] {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = section.indexOf("\r\n", at);
    if (lineEnd <= at) return fields;
    const colon = section.indexOf(":", at);
    fields.push(section.substring(at, colon), trimmed(section, colon + 1, lineEnd));
    at = lineEnd + 2;
  }
}
