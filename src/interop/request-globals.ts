/**
 * Lets apps pass lazy requests to `new Request` and `fetch`. Since Node 24 (undici 7) both read private fields, which no
 * other object can have, so proxies that replace a lazy request by its real one take their places. A module may keep what
 * it finds when it is loaded (`const { fetch } = globalThis`), so the proxies are there before the app is loaded, and are
 * removed if it is no fetch app. `Request` is replaced on first access, because Node loads it on first access.
 */

/** Returns the real request of a lazy one, and any other value unchanged. */
export type UnwrapRequest = (value: unknown) => unknown;

let unwrap: UnwrapRequest = (value) => value;

/** Whether this Node's `Request` has private fields. Needs no `Request`, which takes long to load. */
export const hasPrivateRequests = Number.parseInt(process.versions.undici ?? "0", 10) >= 7;

/** The proxies in place of the originals. */
class RequestGlobals {
  readonly #request: PropertyDescriptor;
  readonly #fetch: PropertyDescriptor;
  readonly #fetchProxy: typeof fetch;
  /** Undefined until one of them is needed. */
  #classes: { readonly real: typeof Request; readonly proxy: typeof Request } | undefined;
  readonly #getRequest = (): typeof Request => this.#loaded().proxy;

  constructor(request: PropertyDescriptor, fetchDescriptor: PropertyDescriptor) {
    this.#request = request;
    this.#fetch = fetchDescriptor;
    this.#fetchProxy = new Proxy(globalThis.fetch, {
      apply: (target, self, args: unknown[]) => Reflect.apply(target, self, unwrapFirst(args)),
    });
    define("fetch", this.#fetchProxy, fetchDescriptor);
    Object.defineProperty(globalThis, "Request", {
      configurable: true,
      enumerable: request.enumerable === true,
      get: this.#getRequest,
      set: (value: unknown) => define("Request", value, request),
    });
  }

  /** The original class and its proxy, which is the global from now on unless the app has replaced it. */
  #loaded(): { readonly real: typeof Request; readonly proxy: typeof Request } {
    if (this.#classes !== undefined) return this.#classes;
    const isUntouched = requestDescriptor()?.get === this.#getRequest;
    // Node's own accessor defines the class as the global, so the proxy is defined after it.
    const real: typeof Request = this.#request.get?.call(globalThis) ?? this.#request.value;
    const proxy = new Proxy(real, {
      construct: (target, args: unknown[], newTarget) =>
        Reflect.construct(target, unwrapFirst(args), newTarget),
    });
    this.#classes = { real, proxy };
    if (isUntouched) define("Request", proxy, this.#request);
    return this.#classes;
  }

  /** The original class, whose instances name the proxy as their constructor from now on. */
  install(): typeof Request {
    const { real, proxy } = this.#loaded();
    Object.defineProperty(real.prototype, "constructor", {
      value: proxy,
      writable: true,
      enumerable: false,
      configurable: true,
    });
    return real;
  }

  /** Puts the originals back, except where the app has put something else. */
  release(): void {
    if (globalThis.fetch === this.#fetchProxy) Object.defineProperty(globalThis, "fetch", this.#fetch);
    const current = requestDescriptor();
    if (current?.get === this.#getRequest) Object.defineProperty(globalThis, "Request", this.#request);
    else if (this.#classes !== undefined && current?.value === this.#classes.proxy)
      define("Request", this.#classes.real, this.#request);
  }
}

let held: RequestGlobals | undefined;
let isInstalled = false;

/** Puts the proxies in place, if they are not. */
export function holdRequestGlobals(): void {
  if (held !== undefined) return;
  const request = requestDescriptor();
  const fetchDescriptor = Object.getOwnPropertyDescriptor(globalThis, "fetch");
  // Without fetch (--no-experimental-fetch) there is nothing to replace.
  if (request?.configurable !== true || fetchDescriptor?.configurable !== true) return;
  if (typeof globalThis.fetch === "function") held = new RequestGlobals(request, fetchDescriptor);
}

/** Removes the proxies, unless they are needed: the app is no fetch app. */
export function releaseRequestGlobals(): void {
  if (isInstalled) return;
  held?.release();
  held = undefined;
}

/**
 * Makes the proxies replace lazy requests, for good.
 *
 * @returns the original class; undefined if the globals cannot be replaced
 */
export function installRequestGlobals(unwrapRequest: UnwrapRequest): typeof Request | undefined {
  holdRequestGlobals();
  if (held === undefined) return undefined;
  isInstalled = true;
  unwrap = unwrapRequest;
  return held.install();
}

function unwrapFirst(args: unknown[]): unknown[] {
  if (args.length > 0) args[0] = unwrap(args[0]);
  return args;
}

function requestDescriptor(): PropertyDescriptor | undefined {
  return Object.getOwnPropertyDescriptor(globalThis, "Request");
}

/** Defines a global that is as enumerable as `original`. */
function define(name: string, value: unknown, original: PropertyDescriptor): void {
  const enumerable = original.enumerable === true;
  Object.defineProperty(globalThis, name, { value, writable: true, enumerable, configurable: true });
}
