/** `tsgun/fetch`: fetch apps (Hono, any `(request: Request) => Response`) as gateway handlers, and gateway apps as fetch. */
import type { IncomingMessage } from "node:http";
import { BodyError, ClientGone } from "../errors.ts";
import type { MessageBody } from "../exchange/message-body.ts";
import type { ExchangeHead } from "../exchange/request.ts";
import { endSignal } from "../gateway/end-signal.ts";
import type { App, Endpoint, GatewayRequest, Handler, Respond } from "../gateway/types.ts";
import { fetchRequest } from "./fetch-request.ts";
import { sendResponse } from "./fetch-response.ts";
import { FetchTransport } from "./fetch-transport.ts";
import { HostedApp, type HostOptions, UNKNOWN_ENDPOINT } from "./hosted-app.ts";
import { IterableSource } from "./iterable-source.ts";
import { NodeOutgoing, nodeIncoming } from "./node-bindings.ts";
import { refuse } from "./refusal.ts";

export type { HostOptions } from "./hosted-app.ts";

/** The second argument of a fetch app; Hono calls it `c.env`. */
export interface FetchEnvironment {
  /** The gateway request, with the client's address, request id, worker, state and trailers. */
  readonly gateway: GatewayRequest;
  /** Aborts when the client disconnects or the worker drains before the response is complete (`endSignal`). */
  readonly ends: AbortSignal;
  /** The request as node:http has it, without its content, for what looks at it: `getConnInfo` of @hono/node-server. */
  readonly incoming: IncomingMessage;
  /** The response as node:http shows it, and `writeEarlyHints`. It sends none: return a Response. */
  readonly outgoing: NodeOutgoing;
}

/** A class, so that getters can create what most apps do not need on first access. */
class GatewayEnvironment implements FetchEnvironment {
  readonly gateway: GatewayRequest;
  readonly #respond: Respond;
  #ends: AbortSignal | undefined;
  #incoming: IncomingMessage | undefined;
  #outgoing: NodeOutgoing | undefined;

  constructor(gateway: GatewayRequest, respond: Respond) {
    this.gateway = gateway;
    this.#respond = respond;
  }

  get ends(): AbortSignal {
    this.#ends ??= endSignal(this.gateway, this.#respond);
    return this.#ends;
  }

  get incoming(): IncomingMessage {
    this.#incoming ??= nodeIncoming(this.gateway, this.#respond);
    return this.#incoming;
  }

  get outgoing(): NodeOutgoing {
    this.#outgoing ??= new NodeOutgoing(this.#respond);
    return this.#outgoing;
  }
}

/** An app written to the Fetch standard's types. */
export type FetchFunction = (request: Request, environment: FetchEnvironment) => Response | Promise<Response>;

/**
 * Converts a fetch app to a gateway handler. An exception becomes a 500; redirects and errors that the app returns
 * are sent unchanged. Bodies stream in both directions, and `request.signal` aborts when the client disconnects.
 * Requests that fetch cannot represent do not reach the app: CONNECT and TRACE cause a 501, a host that is invalid in
 * a URL a 400.
 */
export function fromFetch(fetch: FetchFunction): Handler {
  return (request, respond) => {
    let fetchable: Request;
    try {
      fetchable = fetchRequest(request);
    } catch (error) {
      return refuse(error, respond);
    }
    const environment = new GatewayEnvironment(request, respond);
    if (request.upgrade && request.headers.upgrade?.toLowerCase() === "websocket")
      return acceptWebSocket((asked) => fetch(fetchable, asked), environment, respond);
    const returned = fetch(fetchable, environment);
    // No `await` for a synchronous response: it would cost a promise per request.
    return isPromise(returned)
      ? returned.then((response) => sendResponse(response, request.method, respond))
      : sendResponse(returned, request.method, respond);
  };
}

/** Loads the module with the first such request. */
async function acceptWebSocket(
  fetch: (environment: FetchEnvironment) => Response | Promise<Response>,
  environment: FetchEnvironment,
  respond: Respond,
): Promise<void> {
  const { fetchWebSocket } = await import("./fetch-websocket.ts");
  await fetchWebSocket(fetch, environment, environment.gateway, respond);
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | undefined)?.then === "function";
}

export interface FetchHostOptions extends HostOptions {
  /** Returns the client's address from the host's further arguments. Default: unknown. */
  readonly remote?: (request: Request, ...context: unknown[]) => Endpoint;
}

/** A fetch app with the lifecycle of the gateway app in it. */
export interface HostedFetch {
  (request: Request, ...context: unknown[]): Promise<Response>;
  /** Start-up begins at once. Resolves when the app has started; rejects with the error of its `startup`. */
  readonly ready: Promise<void>;
  /** Drains the app, waits for its last response and shuts it down. */
  close(): Promise<void>;
}

/**
 * Converts a gateway app to a fetch app, for hosts that support nothing else (Deno, Bun, workers). Lost are the raw
 * target, the case of field names, informational responses, trailers and upgrades. The host adds Date and framing. A
 * response that is broken off errors the body's stream.
 */
export function toFetch<State = unknown>(
  app: App<State> | Handler<State>,
  options: FetchHostOptions = {},
): HostedFetch {
  const hosted = new HostedApp(app as App | Handler, options);
  const handler = async (request: Request, ...context: unknown[]): Promise<Response> =>
    exchange(hosted, request, options.remote?.(request, ...context) ?? UNKNOWN_ENDPOINT);
  return Object.assign(handler, { ready: hosted.ready, close: () => hosted.close() });
}

/** Runs one request through the app. Rejects if the response fails or the request is aborted before its head. */
function exchange(hosted: HostedApp, request: Request, peer: Endpoint): Promise<Response> {
  return new Promise((resolve, reject) => {
    const { signal } = request;
    const abandon = (): void => {
      const error = new ClientGone();
      running.request.abort(error);
      body?.fail(new BodyError(400, error.message, { cause: error }));
      running.response.abandon(error);
      reject(error);
    };
    const transport = new FetchTransport(request.method, {
      onResponse: resolve,
      onCancel: abandon,
      onBroken: reject,
    });
    const url = new URL(request.url);
    const scheme = url.protocol === "https:" ? "https" : "http";
    const body = requestBody(request, hosted.bodyLimit);
    const connection = { peer, local: UNKNOWN_ENDPOINT, scheme } as const;
    const running = hosted.open(requestHead(request, url), connection, body, transport);
    const settled = (): void => signal.removeEventListener("abort", abandon);
    running.response.finished().then(settled, settled);
    if (signal.aborted) {
      abandon();
      return;
    }
    signal.addEventListener("abort", abandon, { once: true });
    hosted.run(running);
  });
}

function requestHead(request: Request, url: URL): ExchangeHead {
  return {
    method: request.method,
    target: url.pathname + url.search,
    httpVersion: "1.1",
    rawHeaders: rawHeaders(request, url),
    upgrade: false,
    source: request,
  };
}

function rawHeaders(request: Request, url: URL): string[] {
  const raw: string[] = request.headers.has("host") ? [] : ["host", url.host];
  for (const [name, value] of request.headers) raw.push(name, value);
  return raw;
}

function requestBody(request: Request, limit: number): MessageBody | undefined {
  const { body } = request;
  if (body === null) return undefined;
  const declared = request.headers.get("content-length");
  return new IterableSource(body, { length: declared === null ? undefined : Number(declared), limit }).body;
}
