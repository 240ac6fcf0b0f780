/**
 * A gateway request as a fetch `Request`. It is a real one: something lazy in its place would not pass for
 * a `Request` where apps hand it on (`new Request(request)`, `fetch(request)`), unless the globals were replaced.
 */
import { HttpError } from "../errors.ts";
import type { GatewayRequest } from "../gateway/types.ts";

/** Methods that the fetch standard forbids in a `Request`, whatever their case. */
const FORBIDDEN = new Set(["CONNECT", "TRACE", "TRACK"]);

/**
 * Makes the `Request`. Its `signal` is the gateway's, made at first touch; `clone()` has another, which does not abort.
 *
 * @throws HttpError 501 for a method that has no place in fetch, 400 for a host that has none in a URL
 */
export function fetchRequest(request: GatewayRequest): Request {
  const { method } = request;
  if (FORBIDDEN.has(method.toUpperCase()))
    throw new HttpError(501, `a fetch app cannot be given the method ${method}`);
  const init: RequestInit = { method };
  if (method !== "GET" && method !== "HEAD" && request.body.length !== 0) {
    init.body = request.body.web() as NonNullable<RequestInit["body"]>;
    init.duplex = "half";
  }
  const made = new (servedRequest())(requestUrl(request), init, request);
  // Into the request's own: one made before would be copied field by field.
  const { headers } = made;
  const raw = request.rawHeaders;
  for (let index = 0; index < raw.length; index += 2) {
    headers.append(raw[index] as string, raw[index + 1] as string);
  }
  return made;
}

type ServedRequest = new (url: string, init: RequestInit, gateway: GatewayRequest) => Request;

let served: ServedRequest | undefined;

/** The class of these requests, made when the first one is: whoever serves no fetch app need not load `Request`. */
function servedRequest(): ServedRequest {
  served ??= class Served extends Request {
    readonly #gateway: GatewayRequest;

    constructor(url: string, init: RequestInit, gateway: GatewayRequest) {
      super(url, init);
      this.#gateway = gateway;
    }

    static {
      // TypeScript has it as a property, which no accessor may stand in for.
      Object.defineProperty(Served.prototype, "signal", {
        get(this: Served) {
          return this.#gateway.signal;
        },
        configurable: true,
      });
    }
  };
  return served;
}

function requestUrl(request: GatewayRequest): string {
  const { scheme, host, rootPath, path, query } = request;
  // `*` is the path of nothing but OPTIONS *: there is no URL for it but its text.
  const absolute = path === "*" ? "/*" : rootPath + path;
  const url = `${scheme}://${host || "localhost"}${absolute}${query === "" ? "" : `?${query}`}`;
  if (!URL.canParse(url)) throw new HttpError(400, `the host ${JSON.stringify(host)} has no place in a URL`);
  return url;
}
