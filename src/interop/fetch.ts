/** `tsgun/fetch`: fetch apps (Hono, any `(request: Request) => Response`) as gateway handlers, and gateway apps as fetch. */
import { BodyError, ClientGone } from "../errors.ts";
import type { MessageBody } from "../exchange/message-body.ts";
import { endSignal } from "../gateway/end-signal.ts";
import type { App, Endpoint, GatewayRequest, Handler, Respond } from "../gateway/types.ts";
import { ResponseMaker, sendResponse } from "./fetch-answer.ts";
import { fetchRequest } from "./fetch-request.ts";
import { HostedApp, type HostOptions, UNKNOWN_ENDPOINT } from "./hosted-app.ts";
import { IterableSource } from "./iterable-source.ts";
import { refuse } from "./refusal.ts";

export type { HostOptions } from "./hosted-app.ts";

/** What a fetch app is given beside its request; Hono calls it `c.env`. */
export interface FetchEnvironment {
  /** The request as the gateway made it: who asks, its id, the worker, the state, trailers. */
  readonly gateway: GatewayRequest;
  /** Aborts when the client goes or the worker drains, until the answer is complete (`endSignal`). */
  readonly ends: AbortSignal;
}

/** A class, so that the signal is made at first touch. */
class GatewayEnvironment implements FetchEnvironment {
  readonly gateway: GatewayRequest;
  readonly #respond: Respond;
  #ends: AbortSignal | undefined;

  constructor(gateway: GatewayRequest, respond: Respond) {
    this.gateway = gateway;
    this.#respond = respond;
  }

  get ends(): AbortSignal {
    this.#ends ??= endSignal(this.gateway, this.#respond);
    return this.#ends;
  }
}

/** An app as the Fetch standard's types have it. */
export type FetchFunction = (request: Request, environment: FetchEnvironment) => Response | Promise<Response>;

/**
 * Makes a gateway handler of a fetch app. What it throws is a 500; redirects and errors that it answers
 * with are sent as they are; bodies stream both ways, and `request.signal` aborts when the client goes. Requests
 * that fetch has no place for do not reach the app: CONNECT and TRACE are answered with 501, a host that makes no
 * URL with 400.
 */
export function fromFetch(fetch: FetchFunction): Handler {
  return (request, respond) => {
    let given: Request;
    try {
      given = fetchRequest(request);
    } catch (error) {
      return refuse(error, respond);
    }
    const response = fetch(given, new GatewayEnvironment(request, respond));
    // Not awaited where it need not be: a promise for each request costs.
    return isPromise(response)
      ? response.then((answer) => sendResponse(answer, request.method, respond))
      : sendResponse(response, request.method, respond);
  };
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | undefined)?.then === "function";
}

export interface FetchHostOptions extends HostOptions {
  /** Tells who asks, from what the host gives beside the request; nobody knows by default. */
  readonly remote?: (request: Request, ...context: unknown[]) => Endpoint;
}

/** A fetch app with the life of the gateway app inside. */
export interface HostedFetch {
  (request: Request, ...context: unknown[]): Promise<Response>;
  /** Resolves when the app has started, which begins at once; rejects with what its `startup` threw. */
  readonly ready: Promise<void>;
  /** Tells the app to drain, waits for its last answer and shuts it down. */
  close(): Promise<void>;
}

/**
 * Makes a fetch app of a gateway app, for hosts that know no other (Deno, Bun, workers). What fetch has no
 * place for is lost: the raw target and the case of field names, informational answers, trailers, upgrades;
 * Date and framing are the host's. An answer that is broken off is an error of the response's stream.
 */
export function toFetch<State = unknown>(
  app: App<State> | Handler<State>,
  options: FetchHostOptions = {},
): HostedFetch {
  const hosted = new HostedApp(app as App | Handler, options);
  const handler = (request: Request, ...context: unknown[]): Promise<Response> =>
    new Promise((resolve, reject) => {
      const { signal } = request;
      const gone = (): void => {
        const error = new ClientGone();
        exchange.request.abort(error);
        body?.fail(new BodyError(400, error.message, { cause: error }));
        exchange.answer.abandon(error);
        reject(error);
      };
      const maker = new ResponseMaker(request.method, {
        onResponse: resolve,
        onCancel: gone,
        onBroken: reject,
      });
      const url = new URL(request.url);
      const peer = options.remote?.(request, ...context) ?? UNKNOWN_ENDPOINT;
      const scheme = url.protocol === "https:" ? "https" : "http";
      const body = requestBody(request, hosted.bodyLimit);
      const head = {
        method: request.method,
        target: url.pathname + url.search,
        httpVersion: "1.1",
        rawHeaders: rawHeaders(request, url),
        upgrade: false,
      } as const;
      const exchange = hosted.open(head, { peer, local: UNKNOWN_ENDPOINT, scheme }, body, maker);
      const settled = (): void => signal.removeEventListener("abort", gone);
      exchange.answer.finished().then(settled, settled);
      if (signal.aborted) {
        gone();
        return;
      }
      signal.addEventListener("abort", gone, { once: true });
      hosted.run(exchange);
    });
  return Object.assign(handler, { ready: hosted.ready, close: () => hosted.close() });
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
