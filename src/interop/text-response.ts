/**
 * A `Response` of text costs more than the rest of a request, because it sets up a stream that is never read. While a
 * fetch app is served, the global `Response` therefore keeps text and header fields as given, and creates a real
 * response only when anything but the server needs more than the status. Anything but plain text with plain fields is
 * a real response from the start, and so are instances of subclasses. `instanceof`, the prototype and the static
 * methods are those of the real class: the global is a proxy of it that only changes `new` and `json`.
 */
import * as workers from "node:worker_threads";
import { fieldPairs } from "../gateway/fields.ts";
import { forbidsContent, isFinalStatus } from "../gateway/statuses.ts";
import { acceptLazy, delegateMembers, forwardSymbols } from "./delegated-members.ts";
import { type DefaultType, JSON_TYPE, NO_TYPE, TEXT_TYPE, TextFields } from "./text-fields.ts";
import { watchFetchedContent } from "./upstream-response.ts";

/** The status, fields and text to send. */
export interface TextParts {
  readonly status: number;
  readonly fields: TextFields;
  readonly text: string | null;
}

/** Forbids `structuredClone`, as Node's own classes do since 22.10. */
const { markAsUncloneable } = workers as { markAsUncloneable?: (value: object) => void };

/** The original global class. */
let RealResponse: typeof Response;
let installed: typeof Response | undefined;

/** Bytes of content that a real response was created with, unless the app passed a stream. */
const lengths = new WeakMap<object, number>();

/**
 * Replaces the global `Response` with the cheaper one, unless the app's framework has put a class of its own there, as
 * Hono's `serve()` does. Further calls do nothing.
 */
export function installTextResponse(): void {
  if (installed !== undefined || !isReplaceable(globalThis.Response)) return;
  RealResponse = globalThis.Response;
  delegateMembers(TextResponse.prototype, RealResponse.prototype, TextResponse.real);
  if (!forwardSymbols(TextResponse.prototype, new RealResponse(), (text) => TextResponse.real(text, "body")))
    acceptLazy(RealResponse.prototype, TextResponse.unwrap);
  watchFetchedContent(RealResponse.prototype);
  installed = new Proxy(RealResponse, {
    construct(target, args: unknown[], newTarget) {
      const [content, init] = args;
      const parts = newTarget === installed ? plainParts(content, init, TEXT_TYPE) : undefined;
      if (parts !== undefined) return new TextResponse(parts, init);
      const real = Reflect.construct(target, args, newTarget);
      const length = contentLength(content, init);
      if (length !== undefined) lengths.set(real, length);
      return real;
    },
    get(target, name, receiver) {
      return name === "json" ? json : Reflect.get(target, name, receiver);
    },
  });
  Object.defineProperty(RealResponse.prototype, "constructor", {
    value: installed,
    writable: true,
    enumerable: false,
    configurable: true,
  });
  Object.defineProperty(globalThis, "Response", {
    value: installed,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}

/** Whether this class is Node's, or one that takes part in what we change of it. */
function isReplaceable({ prototype }: typeof Response): boolean {
  return Object.getOwnPropertyDescriptor(prototype, "body")?.configurable === true;
}

/** Whether `response` is a text response whose body has not been used. */
export function isText(response: object): boolean {
  return TextResponse.partsOf(response) !== undefined;
}

/** Returns an unused text response's content and marks its body as used; undefined for any other response. */
export function consumeText(response: object): TextParts | undefined {
  const parts = TextResponse.partsOf(response);
  if (parts !== undefined && parts.text !== null) TextResponse.use(response as TextResponse);
  return parts;
}

/**
 * Bytes of content of `response`, if known without reading it. A response created without content from another one
 * (`new Response(null, response)`, as Hono does for HEAD) has the length of that one.
 */
export function knownLength(response: object): number | undefined {
  return TextResponse.lengthOf(response) ?? lengths.get(response);
}

class TextResponse {
  readonly #parts: TextParts;
  readonly #init: unknown;
  #real: Response | undefined;
  /** The body may have been read, or its stream accessed. */
  #read = false;
  #sent = false;

  constructor(parts: TextParts, init: unknown) {
    this.#parts = parts;
    this.#init = init;
    markAsUncloneable?.(this);
  }

  static partsOf(value: object): TextParts | undefined {
    if (!(#parts in value) || value.#read || value.#sent) return undefined;
    const real = value.#real;
    // The app may have changed the header fields since; status and text cannot change.
    return real === undefined
      ? value.#parts
      : { ...value.#parts, fields: new TextFields([...real.headers].flat()) };
  }

  static use(value: TextResponse): void {
    value.#sent = true;
    value.#real?.body?.cancel();
  }

  static lengthOf(value: object): number | undefined {
    return #parts in value ? contentLength(value.#parts.text, value.#init) : undefined;
  }

  /** The real response, for every member but the status. Accessing it may use up the content. */
  static real(value: TextResponse, member: string | symbol): Response {
    if (!METADATA_MEMBERS.has(member)) value.#read = true;
    if (value.#real === undefined) {
      const { status, fields, text } = value.#parts;
      value.#real = new RealResponse(text, { status, headers: fieldPairs(fields.list) });
      if (value.#sent) value.#real.body?.cancel();
    }
    return value.#real;
  }

  static unwrap(value: unknown, member: string | symbol): unknown {
    return typeof value === "object" && value !== null && #parts in value
      ? TextResponse.real(value, member)
      : value;
  }

  get status(): number {
    return this.#parts.status;
  }

  get ok(): boolean {
    return this.#parts.status < 300;
  }
}

/** Members that do not touch the content. */
const METADATA_MEMBERS = new Set<string | symbol>(["headers", "redirected", "statusText", "type", "url"]);

/** `Response.json`. */
function json(data: unknown, ...rest: [init?: ResponseInit]): Response {
  const [init] = rest;
  const text = JSON.stringify(data) as string | undefined;
  const parts = text === undefined ? undefined : plainParts(text, init, JSON_TYPE);
  return parts === undefined
    ? RealResponse.json(data, init)
    : (new TextResponse(parts, init) as unknown as Response);
}

/** Bytes of content whose length is known; undefined for any other. */
function contentLength(content: unknown, init: unknown): number | undefined {
  if (typeof content === "string") return Buffer.byteLength(content);
  if (content === null || content === undefined)
    return init instanceof RealResponse ? knownLength(init) : undefined;
  if (content instanceof ArrayBuffer || ArrayBuffer.isView(content)) return content.byteLength;
  if (content instanceof Blob) return content.size;
  return content instanceof URLSearchParams ? Buffer.byteLength(String(content)) : undefined;
}

/** The text response for these arguments; undefined if they need the real class. */
function plainParts(body: unknown, init: unknown, type: DefaultType): TextParts | undefined {
  if (typeof body !== "string" && body !== null && body !== undefined) return undefined;
  const text = body ?? null;
  const types = text === null ? NO_TYPE : type;
  if (init === undefined || init === null)
    return { status: 200, fields: types.fields(undefined) as TextFields, text };
  if (typeof init !== "object") return undefined;
  const { status = 200, statusText = "", headers } = init as ResponseInit;
  if (!isFinalStatus(status) || statusText !== "") return undefined;
  if (text !== null && forbidsContent(status)) return undefined;
  const fields = types.fields(headers);
  return fields === undefined ? undefined : { status, fields, text };
}
