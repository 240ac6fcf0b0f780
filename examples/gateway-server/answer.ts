/** The arguments of `respond` (docs/gateway.md, 6.1 to 6.5 and 6.7). */
import { inspect } from "node:util";
import type { FileBody, HeadersInput, ResponseBody } from "tsgun/gateway";
import { misuse } from "./errors.ts";
import { type Pairs, pairsOf } from "./fields.ts";
import { bytesOf, type Source, sourceOf } from "./sources.ts";

export type Given = [status: number, headers?: HeadersInput | null, body?: ResponseBody];

export interface Answer {
  readonly status: number;
  readonly fields: Pairs;
  /** The Content-Length of the app. */
  readonly declared: number | undefined;
  /** Bytes, null for none, what is sent in turn, or undefined: the app writes. */
  readonly content: Uint8Array | null | Source | FileBody | undefined;
}

/** Throws a GatewayError that says what is wrong with the arguments, before anything of them has an effect. */
export function answerOf(given: Given, method: string): Answer {
  const [status, headers, body] = given;
  if (given.length > 2 && body === undefined)
    throw misuse("the body is undefined: give null for none (6.1.2)");
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw misuse(`the status is an integer from 200 to 599, not ${inspect(status)}`);
  const fields = pairsOf(headers);
  const lengths = fields
    .filter(([name]) => name.toLowerCase() === "content-length")
    .map(([, value]) => value);
  if (lengths.length > 1 || !lengths.every((each) => /^\d{1,15}$/.test(each)))
    throw misuse(`Content-Length is one number of bytes, not ${lengths.join(", ")}`);
  const declared = lengths[0] === undefined ? undefined : Number(lengths[0]);
  const content = contentOf(body);
  const length = content === null ? 0 : content?.length;
  const free = status === 204 || status === 205 || (body === null && (method === "HEAD" || status === 304));
  if (declared !== undefined && length !== undefined && declared !== length && !free)
    throw misuse(`Content-Length is ${declared}, but the content has ${length} bytes (6.5.2)`);
  return { status, fields, declared, content };
}

function contentOf(body: ResponseBody | undefined): Answer["content"] {
  if (body === null || body === undefined) return body;
  return typeof body === "string" || body instanceof Uint8Array ? bytesOf(body) : sourceOf(body);
}
