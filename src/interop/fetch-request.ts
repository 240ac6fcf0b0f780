/**
 * Presents a gateway request as a fetch `Request`: a real one, or a lazy one that creates the real one on demand. Apps
 * pass it on (`new Request(request)`, `fetch(request)`), and Node then reads its internals. Up to Node 22 these are
 * symbols, which the lazy request forwards. Newer versions use private fields, which cannot be forwarded, so the real
 * request is created at once.
 */
import { HttpError } from "../errors.ts";
import type { GatewayRequest } from "../gateway/types.ts";
import { delegateMembers } from "./delegated-members.ts";
import { requestUrl } from "./request-url.ts";

/** Methods that the fetch standard forbids in a `Request`, in any case. */
const FORBIDDEN_METHODS = new Set(["CONNECT", "TRACE", "TRACK"]);
/** Methods that fetch leaves unchanged; `Request` may normalise any other. */
const PLAIN_METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/**
 * Creates the `Request`. Its `signal` is the gateway's, created on first access. A `clone()` has a different signal,
 * which does not abort.
 *
 * @throws HttpError 501 for a method that fetch forbids, 400 for a host that is invalid in a URL
 */
export function fetchRequest(request: GatewayRequest): Request {
  const { method } = request;
  if (!PLAIN_METHODS.has(method) && FORBIDDEN_METHODS.has(method.toUpperCase()))
    throw new HttpError(501, `a fetch app cannot receive the method ${method}`);
  const url = requestUrl(request);
  // Decided on the first request, so that workers without a fetch app need not load `Request`.
  lazyWorks ??= prepareLazyRequest();
  return lazyWorks ? (new LazyRequest(request, url) as unknown as Request) : realRequest(request, url);
}

function realRequest(request: GatewayRequest, url: string): Request {
  const { method } = request;
  const init: RequestInit = { method };
  if (method !== "GET" && method !== "HEAD" && request.body.length !== 0) {
    init.body = request.body.web() as NonNullable<RequestInit["body"]>;
    init.duplex = "half";
  }
  const real = new Request(url, init);
  // Append to the request's own Headers: a Headers object in `init` would be copied field by field.
  const { headers } = real;
  const raw = request.rawHeaders;
  for (let index = 0; index < raw.length; index += 2) {
    headers.append(raw[index] as string, raw[index + 1] as string);
  }
  Object.defineProperty(real, "signal", { get: () => request.signal, configurable: true });
  return real;
}

class LazyRequest {
  readonly #gateway: GatewayRequest;
  readonly #url: string;
  #real: Request | undefined;

  constructor(gateway: GatewayRequest, url: string) {
    this.#gateway = gateway;
    this.#url = url;
  }

  static real(lazy: LazyRequest): Request {
    lazy.#real ??= realRequest(lazy.#gateway, lazy.#url);
    return lazy.#real;
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
}

let lazyWorks: boolean | undefined;

/** Prepares the class and tests whether Node accepts a lazy request as a `Request`. */
function prepareLazyRequest(): boolean {
  delegateMembers(LazyRequest.prototype, Request.prototype, LazyRequest.real);
  for (const symbol of Object.getOwnPropertySymbols(new Request("http://localhost/"))) {
    Object.defineProperty(LazyRequest.prototype, symbol, {
      get(this: LazyRequest) {
        return Reflect.get(LazyRequest.real(this), symbol);
      },
      set(this: LazyRequest, value: unknown) {
        Reflect.set(LazyRequest.real(this), symbol, value);
      },
    });
  }
  const gateway = { method: "GET", rawHeaders: ["a", "1"] } as unknown as GatewayRequest;
  try {
    const copy = new Request(new LazyRequest(gateway, "http://localhost/") as unknown as Request);
    return copy.headers.get("a") === "1";
  } catch {
    return false;
  }
}
