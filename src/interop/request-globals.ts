/**
 * Lets apps pass lazy requests to `new Request` and `fetch`. Since Node 24 (undici 7) both read private fields, which no
 * other object can have, so proxies that replace a lazy request by its real one take their places. A module may keep what
 * it finds when it is loaded (`const { fetch } = globalThis`), so the proxies are there before the app is loaded, and are
 * removed if it is no fetch app.
 *
 * Nodes from 22 on load `Request`, with all of fetch, as soon as its property is touched, even to replace it: 35 ms of CPU
 * time and 7 MB. So where no module is expected to keep `Request` it is left alone until the app turns out to be a fetch
 * app. If fetch has been loaded by then, a module may have kept the class after all, and the requests of this process are
 * real ones.
 */

/** Replaces a lazy request among the arguments of `new Request` or `fetch` by the real one. */
export type UnwrapRequest = (args: unknown[]) => unknown[];

let unwrap: UnwrapRequest = (args) => args;

/** Whether this Node's `Request` has private fields. Needs no `Request`, which takes long to load. */
export const hasPrivateRequests = Number.parseInt(process.versions.undici ?? "0", 10) >= 7;

/** Whether Node has loaded the module that `Request` and its relatives come from. */
function isFetchLoaded(): boolean {
  const { moduleLoadList } = process as { moduleLoadList?: readonly string[] };
  // Where Node has no such list it has to be assumed.
  return moduleLoadList?.includes("NativeModule internal/deps/undici/undici") ?? true;
}

/** The proxies in place of the originals. */
class RequestGlobals {
  /** Undefined until `Request` is replaced. */
  #request: PropertyDescriptor | undefined;
  readonly #fetch: PropertyDescriptor;
  readonly #fetchProxy: typeof fetch;
  /** Undefined until one of them is needed. */
  #classes: { readonly real: typeof Request; readonly proxy: typeof Request } | undefined;
  readonly #getRequest = (): typeof Request => this.#loaded().proxy;

  constructor(fetchDescriptor: PropertyDescriptor) {
    this.#fetch = fetchDescriptor;
    this.#fetchProxy = new Proxy(globalThis.fetch, {
      apply: (target, self, args: unknown[]) => Reflect.apply(target, self, unwrap(args)),
    });
    define("fetch", this.#fetchProxy, fetchDescriptor);
  }

  get isComplete(): boolean {
    return this.#request !== undefined;
  }

  /** Returns false if the global cannot be replaced. */
  replaceRequest(): boolean {
    if (this.#request !== undefined) return true;
    const request = requestDescriptor();
    if (request?.configurable !== true) return false;
    this.#request = request;
    Object.defineProperty(globalThis, "Request", {
      configurable: true,
      enumerable: request.enumerable === true,
      get: this.#getRequest,
      set: (value: unknown) => define("Request", value, request),
    });
    return true;
  }

  /** The original class and its proxy, which is the global from now on unless the app has replaced it. */
  #loaded(): { readonly real: typeof Request; readonly proxy: typeof Request } {
    if (this.#classes !== undefined) return this.#classes;
    const request = this.#request as PropertyDescriptor;
    const isUntouched = requestDescriptor()?.get === this.#getRequest;
    // Node's own accessor defines the class as the global, so the proxy is defined after it.
    const real: typeof Request = request.get?.call(globalThis) ?? request.value;
    const proxy = new Proxy(real, {
      construct: (target, args: unknown[], newTarget) => Reflect.construct(target, unwrap(args), newTarget),
    });
    this.#classes = { real, proxy };
    if (isUntouched) define("Request", proxy, request);
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
    const request = this.#request;
    if (request === undefined) return;
    const current = requestDescriptor();
    if (current?.get === this.#getRequest) Object.defineProperty(globalThis, "Request", request);
    else if (this.#classes !== undefined && current?.value === this.#classes.proxy)
      define("Request", this.#classes.real, request);
  }
}

let held: RequestGlobals | undefined;
let isInstalled = false;

/**
 * Puts the proxies in place, if they are not.
 *
 * @param keepsRequest whether a module of the app may keep `Request` when it is loaded; otherwise it is left alone
 */
export function holdRequestGlobals(keepsRequest = true): void {
  if (held !== undefined) return;
  const fetchDescriptor = Object.getOwnPropertyDescriptor(globalThis, "fetch");
  // Without fetch (--no-experimental-fetch) there is nothing to replace.
  if (fetchDescriptor?.configurable !== true || typeof globalThis.fetch !== "function") return;
  held = new RequestGlobals(fetchDescriptor);
  if ((keepsRequest || isFetchLoaded()) && !held.replaceRequest()) releaseRequestGlobals();
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
  if (!held.isComplete && (isFetchLoaded() || !held.replaceRequest())) {
    releaseRequestGlobals();
    return undefined;
  }
  isInstalled = true;
  unwrap = unwrapRequest;
  return held.install();
}

function requestDescriptor(): PropertyDescriptor | undefined {
  return Object.getOwnPropertyDescriptor(globalThis, "Request");
}

/** Defines a global that is as enumerable as `original`. */
function define(name: string, value: unknown, original: PropertyDescriptor): void {
  const enumerable = original.enumerable === true;
  Object.defineProperty(globalThis, name, { value, writable: true, enumerable, configurable: true });
}
