/**
 * A `Response` made of text costs more than all the rest of a request: a stream is set up that nobody reads. While a
 * fetch app is served, the global `Response` therefore keeps text and header fields as they were given, and makes a
 * real response of them as soon as anything but the server looks closer. Whatever is not plain text with plain
 * fields is a real one from the start, and so are the instances of subclasses. `instanceof`, the prototype and the
 * static methods are those of the real class: the global is a proxy of it, which has a part in `new` only.
 */

import { forwardMembers } from "./forwarded-members.ts";

/** What a text response sends. */
export interface TextAnswer {
  readonly status: number;
  /** Names in lower case and values, in turn, in the order of `Headers`. */
  readonly fields: readonly string[];
  readonly text: string | null;
}

/** The class that was there before. */
let RealResponse: typeof Response;
let installed: typeof Response | undefined;

/** Puts the cheaper `Response` in the place of the global one. Done once, however often it is asked for. */
export function installTextResponse(): void {
  if (installed !== undefined) return;
  RealResponse = globalThis.Response;
  forwardMembers(TextResponse.prototype, RealResponse.prototype, TextResponse.real);
  installed = new Proxy(RealResponse, {
    construct(target, given: unknown[], newTarget) {
      const answer = newTarget === installed ? plainAnswer(given[0], given[1]) : undefined;
      return answer === undefined ? Reflect.construct(target, given, newTarget) : new TextResponse(answer);
    },
  });
  Object.defineProperty(globalThis, "Response", {
    value: installed,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}

/** What `response` sends, if it is text that nobody has read or taken the stream of; undefined for any other. */
export function textAnswer(response: object): TextAnswer | undefined {
  return TextResponse.answerOf(response);
}

class TextResponse {
  readonly #answer: TextAnswer;
  #real: Response | undefined;
  #read = false;

  constructor(answer: TextAnswer) {
    this.#answer = answer;
  }

  static answerOf(value: object): TextAnswer | undefined {
    if (!(#answer in value) || value.#read) return undefined;
    const real = value.#real;
    // Its header fields may have been changed since; its status and text cannot be.
    return real === undefined ? value.#answer : { ...value.#answer, fields: [...real.headers].flat() };
  }

  /** The real response, for whoever is not content with the status. Its content may be gone afterwards. */
  static real(value: TextResponse, member: string | symbol): Response {
    if (!LOOKING.has(member)) value.#read = true;
    const { status, fields, text } = value.#answer;
    value.#real ??= new RealResponse(text, { status, headers: pairs(fields) });
    return value.#real;
  }

  get status(): number {
    return this.#answer.status;
  }

  get ok(): boolean {
    return this.#answer.status < 300;
  }
}

/** What looks at a response without touching its content. */
const LOOKING = new Set<string | symbol>(["headers", "redirected", "statusText", "type", "url"]);

/** Undefined for whatever the real class has to look at. */
function plainAnswer(body: unknown, init: unknown): TextAnswer | undefined {
  if (typeof body !== "string" && body !== null && body !== undefined) return undefined;
  const text = body ?? null;
  if (init === undefined || init === null) return { status: 200, fields: withType([], text), text };
  if (typeof init !== "object") return undefined;
  const { status = 200, statusText = "", headers } = init as ResponseInit;
  if (!Number.isInteger(status) || status < 200 || status > 599 || statusText !== "") return undefined;
  if (text !== null && (status === 204 || status === 205 || status === 304)) return undefined;
  const fields = headers instanceof Headers ? [...headers].flat() : recordFields(headers);
  return fields === undefined ? undefined : { status, fields: withType(fields, text), text };
}

const NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
/** A value that needs no trimming and breaks no line. */
const VALUE = /^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/;

/** The fields of a plain object, sorted as those of `Headers` are; undefined for anything out of the ordinary. */
function recordFields(headers: unknown): string[] | undefined {
  if (headers === undefined) return [];
  if (headers === null || typeof headers !== "object" || Symbol.iterator in headers) return undefined;
  const fields: [string, string][] = [];
  for (const name of Reflect.ownKeys(headers)) {
    const value = (headers as Record<string | symbol, unknown>)[name];
    if (typeof name !== "string" || typeof value !== "string") return undefined;
    if (!NAME.test(name) || !VALUE.test(value)) return undefined;
    fields.push([name.toLowerCase(), value]);
  }
  if (fields.length > 1) {
    fields.sort(([one], [other]) => (one < other ? -1 : 1));
    if (fields.some(([name], index) => name === fields[index + 1]?.[0])) return undefined;
  }
  return fields.flat();
}

/** Text has a type by itself (Fetch, "extract a body"). */
function withType(fields: string[], text: string | null): string[] {
  if (text === null) return fields;
  let at = 0;
  for (; at < fields.length; at += 2) {
    const name = fields[at] as string;
    if (name === "content-type") return fields;
    if (name > "content-type") break;
  }
  return fields.toSpliced(at, 0, "content-type", "text/plain;charset=UTF-8");
}

function pairs(fields: readonly string[]): [string, string][] {
  const all: [string, string][] = [];
  for (let at = 0; at < fields.length; at += 2) all.push([fields[at] as string, fields[at + 1] as string]);
  return all;
}
