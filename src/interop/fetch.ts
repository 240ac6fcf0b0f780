/** `tsgun/fetch`: fetch apps (Hono, any function from Request to Response) over the gateway, and the reverse. */
import { GatewayError } from "../errors.ts";
import { clause } from "../gateway/clauses.ts";
import type { App, GatewayRequest, Handler } from "../gateway/types.ts";
import { FetchExchange } from "./fetch-exchange.ts";
import { HostedApp, type HostOptions } from "./hosted-app.ts";

/** What a fetch app is given beside the request; Hono calls it `env`. */
export interface FetchEnvironment {
  /** The request as the gateway made it: remote address, worker, state, trailers … */
  readonly gateway: GatewayRequest;
}

/** An app as the Fetch standard's types have it. */
export type FetchFunction = (request: Request, environment: FetchEnvironment) => Response | Promise<Response>;

/** Methods for which the Fetch standard allows no Request. */
const UNFETCHABLE = new Set(["CONNECT", "TRACE", "TRACK"]);

function hasContent(request: GatewayRequest): boolean {
  return request.body.length !== 0 && request.method !== "GET" && request.method !== "HEAD";
}

function urlOf(request: GatewayRequest): string {
  // Absolute-form is a URL already; `*` has none of its own.
  if (request.target.charCodeAt(0) !== 0x2f) return request.target === "*" ? origin(request) : request.target;
  return origin(request) + request.target;
}

function origin(request: GatewayRequest): string {
  return `${request.scheme}://${request.host === "" ? "localhost" : request.host}`;
}

/** Makes the platform's Request of a gateway request. Its body is read when the app reads it. */
function requestOf(request: GatewayRequest): Request {
  const headers: [string, string][] = [];
  const raw = request.rawHeaders;
  for (let index = 0; index < raw.length; index += 2) {
    headers.push([raw[index] as string, raw[index + 1] as string]);
  }
  const init = { method: request.method, headers, signal: request.signal };
  if (!hasContent(request)) return new Request(urlOf(request), init);
  return new Request(urlOf(request), { ...init, body: request.body.web(), duplex: "half" } as RequestInit);
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** Resolves to undefined in the next turn of the event loop. */
function nextTurn(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(resolve, undefined));
}

async function* rest(
  reader: Reader,
  first: Uint8Array,
  pending: ReturnType<Reader["read"]>,
): AsyncGenerator<Uint8Array> {
  try {
    yield first;
    for (let next = await pending; !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel();
  }
}

/**
 * Runs a fetch app under any gateway server. A response that is one piece, as those made of a string or
 * JSON are, is sent with its length; others are streamed.
 */
export function fromFetch(fetch: FetchFunction): Handler {
  return async (request, respond) => {
    if (UNFETCHABLE.has(request.method)) {
      respond(501, null, `${request.method} cannot be expressed as a fetch Request\n`);
      return;
    }
    const response = await fetch(requestOf(request), { gateway: request });
    if (!(response instanceof Response)) {
      throw new GatewayError(clause.content, "the fetch app returned no Response");
    }
    const headers = [...response.headers];
    if (response.body === null || request.method === "HEAD") {
      await response.body?.cancel();
      if (request.method === "HEAD" && response.body !== null) respond(response.status, headers).end();
      else respond(response.status, headers, null);
      return;
    }
    const reader = response.body.getReader() as Reader;
    const first = await Promise.race([reader.read(), nextTurn()]);
    if (first === undefined) {
      reader.releaseLock();
      respond(response.status, headers, response.body as never);
      return;
    }
    if (first.done) {
      respond(response.status, headers, null);
      return;
    }
    const pending = reader.read();
    const second = await Promise.race([pending, nextTurn()]);
    if (second?.done === true) respond(response.status, headers, first.value);
    else respond(response.status, headers, rest(reader, first.value, pending));
  };
}

/** A fetch function over a gateway app, with the app's life. */
export interface HostedFetch {
  (request: Request): Promise<Response>;
  /** Waits for the last answer and runs the app's `shutdown`. */
  close(): Promise<void>;
}

/**
 * Runs a gateway app as a fetch function: under Bun, Deno, a service worker's test, or another fetch server.
 * `upgrade` throws in the app, since a Response cannot carry one.
 */
export function toFetch(app: App | Handler, options: HostOptions = {}): HostedFetch {
  const hosted = new HostedApp(app, options);
  const fetch = async (request: Request): Promise<Response> => {
    await hosted.ready;
    return new FetchExchange(hosted, request).answer();
  };
  return Object.assign(fetch, { close: () => hosted.close() });
}
