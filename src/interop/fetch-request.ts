/**
 * Presents a gateway request as a fetch `Request`: a lazy one that creates the real one on demand. Most apps read the
 * URL, a few fields and the content as text or JSON; a real request with its stream and its signal costs more than all
 * of that. Apps also pass it on (`new Request(request)`, `fetch(request)`), and Node then reads its internals. Up to
 * Node 22 these are symbols, which the lazy request forwards. Newer versions use private fields: the proxies of
 * `request-globals.ts` pass on the real request, and without them every request is real from the start.
 */
import * as workers from "node:worker_threads";
import { HttpError } from "../errors.ts";
import { ROUTED, routedRequest } from "../exchange/route.ts";
import type { GatewayRequest } from "../gateway/types.ts";
import { acceptLazy, delegateMembers, forwardSymbols } from "./delegated-members.ts";
import { appendRaw, installLazyHeaders, LazyHeaders } from "./lazy-headers.ts";
import { requestUrl } from "./request-url.ts";

/** Methods that the fetch standard forbids in a `Request`, in any case. */
const FORBIDDEN_METHODS = new Set(["CONNECT", "TRACE", "TRACK"]);
/** Methods that fetch leaves unchanged; `Request` may normalise any other. */
const PLAIN_METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Forbids `structuredClone`, as Node's own classes do since 22.10. */
const { markAsUncloneable } = workers as { markAsUncloneable?: (value: object) => void };

/** The original class. */
let RealRequest: typeof Request;
let lazyWorks: boolean | undefined;
/** The process serves a fetch app and nothing else, so the classes that it uses may be changed. */
let isInstalled = false;

/**
 * Creates the `Request`. Its `signal` is the gateway's, created on first access. Those of its copies abort with it.
 *
 * @throws HttpError 501 for a method that fetch forbids, 400 for a host that is invalid in a URL
 */
export function fetchRequest(request: GatewayRequest): Request {
  const { method } = request;
  if (!PLAIN_METHODS.has(method) && FORBIDDEN_METHODS.has(method.toUpperCase()))
    throw new HttpError(501, `a fetch app cannot receive the method ${method}`);
  const url = requestUrl(request);
  // Decided on the first request, so that workers without a fetch app need not load `Request`.
  lazyWorks ??= prepareLazyRequest(globalThis.Request);
  return lazyWorks ? (new LazyRequest(request, url) as unknown as Request) : realRequest(request, url);
}

/**
 * Makes requests and their fields lazy, with all that this takes.
 *
 * @param original the original `Request`, if proxies make it accept lazy ones
 */
export function installLazyRequest(original: typeof Request = globalThis.Request): void {
  if (isInstalled) return;
  isInstalled = true;
  lazyWorks = prepareLazyRequest(original);
  installLazyHeaders();
}

/**
 * Replaces a lazy request among the arguments of `new Request` or `fetch` by the real one, whose signal the copy follows.
 */
export function unwrapRequest(args: unknown[]): unknown[] {
  const [given, init] = args;
  const input = LazyRequest.unwrap(given);
  if (input !== given) args[0] = input;
  if (isFollowing(input) && isPlain(init) && init?.signal === undefined)
    args[1] = { ...init, signal: input.signal };
  return args;
}

/** Anything else may have members that a copy would lack, and among them a signal. */
function isPlain(init: unknown): init is RequestInit | null | undefined {
  return init === undefined || init === null || Object.getPrototypeOf(init) === Object.prototype;
}

/** Content that fetch passes to the app: GET and HEAD have none. */
function hasContent({ method, body }: GatewayRequest): boolean {
  return method !== "GET" && method !== "HEAD" && body.length !== 0;
}

/**
 * @param isRead the content has been read from the gateway request
 * @param lazy the fields, if the app has them already
 */
function realRequest(request: GatewayRequest, url: string, isRead = false, lazy?: LazyHeaders): Request {
  const init: RequestInit = { method: request.method };
  if (hasContent(request)) {
    const stream = isRead ? emptyStream() : request.body.web();
    init.body = stream as NonNullable<RequestInit["body"]>;
    init.duplex = "half";
  }
  const real = new RealRequest(url, init);
  if (isRead) real.arrayBuffer().catch(() => {});
  // Append to the request's own Headers: a Headers object in `init` would be copied field by field.
  if (lazy === undefined) appendRaw(real.headers, request.rawHeaders);
  else LazyHeaders.moveTo(real.headers, lazy);
  followSignal(real, request);
  return real;
}

/**
 * Makes `real` have the signal of the gateway's request, and its route. Its own signal is made by Node, and nothing aborts
 * that.
 */
function followSignal(real: Request, gateway: GatewayRequest): void {
  const descriptor = { get: () => gateway.signal, configurable: true };
  Object.defineProperty(real, "signal", descriptor);
  Object.defineProperty(real, ROUTED, { value: routedRequest(gateway) });
  // Up to Node 22 copies read it by this symbol.
  const symbol = Object.getOwnPropertySymbols(real).find(({ description }) => description === "signal");
  if (symbol !== undefined) Object.defineProperty(real, symbol, descriptor);
}

/** Whether `followSignal` has given this request its signal, which Node's own classes do not look for. */
function isFollowing(value: unknown): value is Request {
  return value instanceof RealRequest && Object.hasOwn(value, "signal");
}

function emptyStream(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.close() });
}

class LazyRequest {
  readonly #gateway: GatewayRequest;
  readonly #url: string;
  #headers: LazyHeaders | undefined;
  #real: Request | undefined;
  /** The content has been read without the real request. */
  #isRead = false;

  constructor(gateway: GatewayRequest, url: string) {
    this.#gateway = gateway;
    this.#url = url;
    markAsUncloneable?.(this);
  }

  static real(lazy: LazyRequest): Request {
    lazy.#real ??= realRequest(lazy.#gateway, lazy.#url, lazy.#isRead, lazy.#headers);
    return lazy.#real;
  }

  static unwrap(value: unknown): unknown {
    return typeof value === "object" && value !== null && #gateway in value ? LazyRequest.real(value) : value;
  }

  /** For `setRoute`. */
  get [ROUTED](): object | undefined {
    return routedRequest(this.#gateway);
  }

  get method(): string {
    const { method } = this.#gateway;
    return PLAIN_METHODS.has(method) ? method : LazyRequest.real(this).method;
  }

  get url(): string {
    return this.#url;
  }

  get signal(): AbortSignal {
    return this.#gateway.signal;
  }

  get headers(): Headers {
    if (this.#headers === undefined) {
      if (this.#real !== undefined || !isInstalled) return LazyRequest.real(this).headers;
      this.#headers = new LazyHeaders(this.#gateway.rawHeaders);
    }
    return this.#headers as unknown as Headers;
  }

  clone(): Request {
    const copy = LazyRequest.real(this).clone();
    followSignal(copy, this.#gateway);
    return copy;
  }

  get body(): Request["body"] {
    return hasContent(this.#gateway) ? LazyRequest.real(this).body : null;
  }

  get bodyUsed(): boolean {
    return this.#real === undefined ? this.#isRead : this.#real.bodyUsed;
  }

  /** Whether to read the content from the gateway request, right away: not if there is a real request, which then does. */
  #takesContent(): boolean {
    if (this.#real !== undefined || this.#isRead || !hasContent(this.#gateway)) return false;
    this.#isRead = true;
    return true;
  }

  text(): Promise<string> {
    return this.#takesContent() ? this.#gateway.body.text() : LazyRequest.real(this).text();
  }

  json(): Promise<unknown> {
    return this.#takesContent() ? this.#gateway.body.text().then(parseJson) : LazyRequest.real(this).json();
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    return this.#takesContent()
      ? this.#gateway.body.bytes().then((bytes) => copyOf(bytes).buffer)
      : LazyRequest.real(this).arrayBuffer();
  }

  bytes(): Promise<Uint8Array> {
    return this.#takesContent()
      ? this.#gateway.body.bytes().then(copyOf)
      : (LazyRequest.real(this) as Request & { bytes(): Promise<Uint8Array> }).bytes();
  }

  blob(): Promise<Blob> {
    return this.#takesContent()
      ? this.#gateway.body.bytes().then((bytes) => this.#typed(bytes).blob())
      : LazyRequest.real(this).blob();
  }

  formData(): Promise<FormData> {
    return this.#takesContent()
      ? this.#gateway.body.bytes().then((bytes) => this.#typed(bytes).formData())
      : LazyRequest.real(this).formData();
  }

  /** A response with the content and its type, which Node parses like a request. */
  #typed(bytes: Uint8Array): Response {
    const type = this.headers.get("content-type");
    return new Response(copyOf(bytes), { headers: type === null ? {} : { "content-type": type } });
  }
}

function parseJson(text: string): unknown {
  return JSON.parse(text);
}

/** The content in memory of its own, which the app may keep or transfer. */
function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** Prepares the class and tests whether Node accepts a lazy request as a `Request`. */
function prepareLazyRequest(original: typeof Request): boolean {
  RealRequest = original;
  const { prototype } = original;
  // Node 20.11 has no `bytes`.
  if (!("bytes" in prototype)) Reflect.deleteProperty(LazyRequest.prototype, "bytes");
  delegateMembers(LazyRequest.prototype, prototype, LazyRequest.real);
  const hasSymbols = forwardSymbols(
    LazyRequest.prototype,
    new original("http://localhost/"),
    LazyRequest.real,
  );
  if (!hasSymbols && isInstalled) acceptLazy(prototype, LazyRequest.unwrap);
  const gateway = { method: "GET", rawHeaders: ["a", "1"] } as unknown as GatewayRequest;
  try {
    const copy = new Request(new LazyRequest(gateway, "http://localhost/") as unknown as Request);
    return copy.headers.get("a") === "1";
  } catch {
    return false;
  }
}
