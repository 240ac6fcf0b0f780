/** Header and trailer fields: what they are joined to, what an app may give, and which ones the server keeps. */
import { inspect } from "node:util";
import type { HeadersInput } from "tsgun/gateway";
import { misuse, refusal } from "./errors.ts";

export type Pairs = (readonly [name: string, value: string])[];

export const TOKEN = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/;
export const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const words = (text: string): Set<string> => new Set(text.split(" "));
/** 4.3.4 */
const SINGLE = words(
  "age authorization content-length content-location content-range content-type date etag expires from host " +
    "if-modified-since if-range if-unmodified-since last-modified location max-forwards proxy-authorization range " +
    "referer retry-after server set-cookie user-agent",
);
/** 10.3 */
export const NO_TRAILER = words(
  "age authorization cache-control connection content-encoding content-length content-range content-type cookie date " +
    "expect expires forwarded host if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive " +
    "location max-forwards pragma proxy-authenticate proxy-authorization proxy-connection range retry-after " +
    "set-cookie te trailer transfer-encoding upgrade vary via warning www-authenticate x-forwarded-for " +
    "x-forwarded-host x-forwarded-port x-forwarded-prefix x-forwarded-proto",
);
/** 6.3.4 */
export const OF_SERVER = words("transfer-encoding keep-alive proxy-connection connection");
/** 8.2 */
export const NOT_INFORMATIONAL = words(
  "connection content-length keep-alive proxy-connection trailer transfer-encoding upgrade",
);
/** 9.1 */
export const NOT_IN_101 = words("content-length keep-alive proxy-connection trailer transfer-encoding");

export function parseField(line: string): readonly [string, string] {
  const colon = line.indexOf(":");
  const name = line.slice(0, colon);
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
  if (colon < 1 || !TOKEN.test(name) || !VALUE.test(value)) throw refusal(400, "a header field is invalid");
  return [name, value];
}

export function options(pairs: Pairs, name: string): string[] {
  return pairs
    .filter(([each]) => each.toLowerCase() === name)
    .flatMap(([, value]) =>
      value
        .toLowerCase()
        .split(",")
        .map((option) => option.trim()),
    );
}

export function rawOf(pairs: Pairs): string[] {
  return pairs.flat();
}

/** 4.3.2 to 4.3.4 */
export function joined(pairs: Pairs): { [name: string]: string | undefined } {
  const fields: { [name: string]: string | undefined } = Object.create(null);
  for (const [rawName, value] of pairs) {
    const name = rawName.toLowerCase();
    const former = fields[name];
    if (former === undefined) fields[name] = value;
    else if (!SINGLE.has(name)) fields[name] = `${former}${name === "cookie" ? "; " : ", "}${value}`;
  }
  return fields;
}

/** The fields of an app (6.3.1, 6.3.2). */
export function pairsOf(headers: HeadersInput | null | undefined): Pairs {
  if (headers === null || headers === undefined) return [];
  if (typeof headers !== "object")
    throw misuse(`headers are an object or an iterable of pairs, not ${inspect(headers)}`);
  const given: Iterable<unknown> = Symbol.iterator in headers ? headers : Object.entries(headers);
  const pairs: Pairs = [];
  for (const pair of given) {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw misuse(`not a pair of a name and a value: ${inspect(pair)}`);
    const [name, given] = pair as [unknown, unknown];
    if (typeof name !== "string" || !TOKEN.test(name))
      throw misuse(`not the name of a field: ${inspect(name)}`);
    if (given === undefined) continue;
    for (const each of Array.isArray(given) ? given : [given]) {
      const value = typeof each === "number" ? String(each) : each;
      if (typeof value !== "string" || !VALUE.test(value))
        throw misuse(`not a value of ${name}: ${inspect(value)}`);
      pairs.push([name, value]);
    }
  }
  return pairs;
}

export const lines = (pairs: Pairs): string => pairs.map(([name, value]) => `${name}: ${value}\r\n`).join("");
export const without = (pairs: Pairs, names: Set<string>): Pairs =>
  pairs.filter(([name]) => !names.has(name.toLowerCase()));
