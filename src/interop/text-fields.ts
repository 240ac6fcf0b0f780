/**
 * The fields of a text response. Most apps send nothing but a content type, and the same few of them, so those are
 * checked, ordered and encoded once each.
 */

import { plainLines } from "../http/response-head.ts";
import { ownCopy } from "../native/own-copy.ts";

export class TextFields {
  /** Alternating lower-case names and values, in the order of `Headers`. */
  readonly list: readonly string[];
  #lines: string | undefined;
  #isEncoded = false;

  constructor(list: readonly string[]) {
    this.list = list;
  }

  /** The encoded lines, for servers that send them as they are; undefined if a server has to look at one of the fields. */
  get lines(): string | undefined {
    if (!this.#isEncoded) {
      this.#isEncoded = true;
      // The one field that `Headers` repeats.
      this.#lines = this.list.includes("set-cookie") ? undefined : plainLines(this.list);
    }
    return this.#lines;
  }
}

/** Types that are remembered. An app has few, but can make up any number of them. */
const MAX_TYPES = 64;
const MAX_TYPE_LENGTH = 64;

/** The fields of responses with a default content type (Fetch, "extract a body" and "Response.json"), or with none. */
class DefaultType {
  readonly #type: string | undefined;
  readonly #alone: TextFields;
  /** The fields of responses that have no field but this content type. */
  readonly #typed = new Map<string, TextFields>();

  constructor(type: string | undefined) {
    this.#type = type;
    this.#alone = new TextFields(type === undefined ? [] : ["content-type", type]);
  }

  /** The fields for `headers` as passed to `Response`; undefined for anything unusual, which takes the real class. */
  fields(headers: unknown): TextFields | undefined {
    if (headers === undefined) return this.#alone;
    if (headers instanceof Headers) return this.#withType([...headers].flat());
    if (headers === null || typeof headers !== "object" || Symbol.iterator in headers) return undefined;
    // Reflect.ownKeys would cost several times as much as both.
    const names = Object.keys(headers);
    if (Object.getOwnPropertySymbols(headers).length > 0) return undefined;
    const [name] = names;
    if (names.length === 1 && (name === "Content-Type" || name === "content-type"))
      return this.#onlyType((headers as { readonly [name: string]: unknown })[name]);
    const fields = recordFields(headers as { readonly [name: string]: unknown }, names);
    return fields === undefined ? undefined : this.#withType(fields);
  }

  #onlyType(type: unknown): TextFields | undefined {
    if (typeof type !== "string") return undefined;
    const known = this.#typed.get(type);
    if (known !== undefined) return known;
    if (!VALUE.test(type)) return undefined;
    if (type.length > MAX_TYPE_LENGTH) return new TextFields(["content-type", type]);
    if (this.#typed.size >= MAX_TYPES) this.#typed.clear();
    const copy = ownCopy(type);
    const fields = new TextFields(["content-type", copy]);
    this.#typed.set(copy, fields);
    return fields;
  }

  /** Adds the content type, if there is none. */
  #withType(fields: string[]): TextFields {
    if (this.#type === undefined) return new TextFields(fields);
    let at = 0;
    for (; at < fields.length; at += 2) {
      const name = fields[at] as string;
      if (name === "content-type") return new TextFields(fields);
      if (name > "content-type") break;
    }
    return new TextFields(fields.toSpliced(at, 0, "content-type", this.#type));
  }
}

export const NO_TYPE = new DefaultType(undefined);
export const TEXT_TYPE = new DefaultType("text/plain;charset=UTF-8");
export const JSON_TYPE = new DefaultType("application/json");
export type { DefaultType };

const NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
/** A value without leading or trailing white space and without line breaks. */
const VALUE = /^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/;

/** The fields of a plain object, sorted like those of `Headers`; undefined for anything unusual. */
function recordFields(
  headers: { readonly [name: string]: unknown },
  names: readonly string[],
): string[] | undefined {
  const fields: [string, string][] = [];
  for (const name of names) {
    const value = headers[name];
    if (typeof value !== "string" || !NAME.test(name) || !VALUE.test(value)) return undefined;
    fields.push([name.toLowerCase(), value]);
  }
  if (fields.length > 1) {
    fields.sort(([one], [other]) => (one < other ? -1 : 1));
    if (fields.some(([name], index) => name === fields[index + 1]?.[0])) return undefined;
  }
  return fields.flat();
}
