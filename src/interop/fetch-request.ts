/**
 * A gateway request as a fetch `Request`: a real one, or one that becomes real at a closer look. Apps hand it on
 * (`new Request(request)`, `fetch(request)`), and then Node looks inside: where it does so by symbols, as up to Node 22,
 * they lead to the real request; where it does so by private fields there is no such way, and a real one is made at once.
 */
import { HttpError } from "../errors.ts";
import type { GatewayRequest } from "../gateway/types.ts";
import { forwardMembers } from "./forwarded-members.ts";
import { requestUrl } from "./request-url.ts";

/** Methods that the fetch standard forbids in a `Request`, whatever their case. */
const FORBIDDEN = new Set(["CONNECT", "TRACE", "TRACK"]);
/** Those that mean the same as they stand; others are the standard's to normalise. */
const PLAIN = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/**
 * Makes the `Request`. Its `signal` is the gateway's, made at first touch; `clone()` has another, which does not abort.
 *
 * @throws HttpError 501 for a method that has no place in fetch, 400 for a host that has none in a URL
 */
export function fetchRequest(request: GatewayRequest): Request {
  const { method } = request;
  if (!PLAIN.has(method) && FORBIDDEN.has(method.toUpperCase()))
    throw new HttpError(501, `a fetch app cannot be given the method ${method}`);
  const url = requestUrl(request);
  // Decided when the first request comes: whoever serves no fetch app need not load `Request`.
  becomesReal ??= canBecomeReal();
  return becomesReal ? (new LaterRequest(request, url) as unknown as Request) : realRequest(request, url);
}

function realRequest(request: GatewayRequest, url: string): Request {
  const { method } = request;
  const init: RequestInit = { method };
  if (method !== "GET" && method !== "HEAD" && request.body.length !== 0) {
    init.body = request.body.web() as NonNullable<RequestInit["body"]>;
    init.duplex = "half";
  }
  const made = new Request(url, init);
  // Into the request's own: one made before would be copied field by field.
  const { headers } = made;
  const raw = request.rawHeaders;
  for (let index = 0; index < raw.length; index += 2) {
    headers.append(raw[index] as string, raw[index + 1] as string);
  }
  Object.defineProperty(made, "signal", { get: () => request.signal, configurable: true });
  return made;
}

class LaterRequest {
  readonly #gateway: GatewayRequest;
  readonly #url: string;
  #real: Request | undefined;

  constructor(gateway: GatewayRequest, url: string) {
    this.#gateway = gateway;
    this.#url = url;
  }

  static real(later: LaterRequest): Request {
    later.#real ??= realRequest(later.#gateway, later.#url);
    return later.#real;
  }

  get method(): string {
    const { method } = this.#gateway;
    return PLAIN.has(method) ? method : LaterRequest.real(this).method;
  }

  get url(): string {
    return this.#url;
  }

  get signal(): AbortSignal {
    return this.#gateway.signal;
  }
}

let becomesReal: boolean | undefined;

/** Readies the class, and tries whether Node takes such a request for one. */
function canBecomeReal(): boolean {
  forwardMembers(LaterRequest.prototype, Request.prototype, LaterRequest.real);
  for (const symbol of Object.getOwnPropertySymbols(new Request("http://localhost/"))) {
    Object.defineProperty(LaterRequest.prototype, symbol, {
      get(this: LaterRequest) {
        return Reflect.get(LaterRequest.real(this), symbol);
      },
      set(this: LaterRequest, value: unknown) {
        Reflect.set(LaterRequest.real(this), symbol, value);
      },
    });
  }
  const gateway = { method: "GET", rawHeaders: ["a", "1"] } as unknown as GatewayRequest;
  try {
    const copy = new Request(new LaterRequest(gateway, "http://localhost/") as unknown as Request);
    return copy.headers.get("a") === "1";
  } catch {
    return false;
  }
}
