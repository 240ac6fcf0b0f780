/** `tsgun/testing`: calls an app without a socket, with all guarantees of a server. */
import type { Duplex } from "node:stream";
import { BodyError, ClientGone } from "../errors.ts";
import type { MessageBody } from "../exchange/message-body.ts";
import { joinFields, rawFields } from "../gateway/fields.ts";
import type { App, Endpoint, Fields, GatewayRequest, Handler, HeadersInput } from "../gateway/types.ts";
import { asksForUpgrade, fieldValue } from "./framing.ts";
import { HostedApp, type HostedExchange } from "./hosted-app.ts";
import { IterableSource, type RequestContent } from "./iterable-source.ts";
import { type CollectorEvents, ResponseCollector } from "./response-collector.ts";

export interface InjectOptions {
  /** Default: GET. */
  readonly method?: string;
  /** The request-target including the query, sent unchanged. Default: `/`. */
  readonly path?: string;
  /** Host and the framing of the body are added if missing. */
  readonly headers?: HeadersInput;
  readonly body?: RequestContent;
  /** Trailer fields, sent after the body. */
  readonly trailers?: HeadersInput;
  /** Default: `1.1`. */
  readonly httpVersion?: "1.0" | "1.1";
  readonly scheme?: "http" | "https";
  /** The client. Default: 127.0.0.1, port 40000. */
  readonly remote?: Endpoint;
  readonly local?: Endpoint;
  readonly rootPath?: string;
  /** Proxies whose forwarded fields the server trusts (addresses, CIDRs, `unix`, `*`). Default: none. */
  readonly forwardedAllowIps?: readonly string[];
  /** The client disconnects when this aborts. */
  readonly signal?: AbortSignal;
  /** Passes this state to the app and skips its `startup` and `shutdown`. */
  readonly state?: unknown;
  /** The server's limit for a request body in bytes. */
  readonly bodyLimit?: number;
  /** The server's timeout for the head of the response, in milliseconds. */
  readonly requestTimeout?: number;
  /** Called with each error that a server would log. The response's `errors` contains them too. */
  readonly onError?: (error: Error, request: GatewayRequest) => void;
}

export interface InformationalAnswer {
  readonly status: number;
  readonly headers: Fields;
  readonly rawHeaders: readonly string[];
}

export interface InjectedAnswer {
  /** 101 for an upgrade; 0 if the app writes the handshake itself. */
  readonly status: number;
  /** As in a request: lower-case names, repeated fields joined. */
  readonly headers: Fields;
  /** Alternating names and values. */
  readonly rawHeaders: readonly string[];
  /** Returns every value of a field, for fields that cannot be joined (Set-Cookie). */
  values(name: string): string[];
  readonly body: Uint8Array;
  text(): string;
  json<T = unknown>(): T;
  readonly trailers: Fields;
  readonly rawTrailers: readonly string[];
  /** The 1xx responses before the final one, in order. */
  readonly informational: readonly InformationalAnswer[];
  /** The client's end of the connection, if the app has taken it over. */
  readonly upgraded: Duplex | undefined;
  /** The errors that a server would have logged. */
  readonly errors: readonly Error[];
}

const CLIENT: Endpoint = { family: "ipv4", address: "127.0.0.1", port: 40000 };
const SERVER: Endpoint = { family: "ipv4", address: "127.0.0.1", port: 80 };

/**
 * Sends one request to `app` and returns the complete response. An app object is started before and shut down after,
 * unless a `state` is given. An exception of the handler before the head is sent becomes a 500, as on any server, and is
 * added to `errors`.
 *
 * Rejects with the app's error if a server would have destroyed the connection, with an error of `startup` or `shutdown`,
 * and with `ClientGone` if `signal` aborts before the response is complete. Without `requestTimeout` or `signal` it waits
 * for the response indefinitely.
 */
export async function inject<State = unknown>(
  app: App<State> | Handler<State>,
  options: InjectOptions = {},
): Promise<InjectedAnswer> {
  // The handler gets what `startup` returns, so the type of the state does not matter from here on.
  return injectInto(app as App | Handler, options);
}

async function injectInto(app: App | Handler, options: InjectOptions): Promise<InjectedAnswer> {
  const errors: Error[] = [];
  const hosted = new HostedApp("state" in options ? withoutLifecycle(app) : app, {
    ...options,
    onError: (error, request) => {
      errors.push(error);
      options.onError?.(error, request);
    },
  });
  if ("state" in options) hosted.state = options.state;
  await hosted.ready;
  let collected: ResponseCollector;
  try {
    collected = await collect(hosted, options);
  } catch (error) {
    await hosted.close();
    throw error;
  }
  // An app that has taken over the connection runs until that closes.
  if (collected.upgraded === undefined) await hosted.close();
  else collected.upgraded.once("close", () => hosted.close().catch((error: Error) => errors.push(error)));
  return injectedAnswer(collected, errors);
}

function withoutLifecycle(app: App | Handler): App {
  if (typeof app === "function") return { handle: app };
  return {
    handle: (request, respond) => app.handle(request, respond),
    ...(app.upgrade !== undefined && { upgrade: app.upgrade.bind(app) }),
  };
}

function collect(hosted: HostedApp, options: InjectOptions): Promise<ResponseCollector> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    const settled = (): void => signal?.removeEventListener("abort", abort);
    const { exchange, collector, body } = openExchange(hosted, options, {
      onEnd: () => {
        settled();
        resolve(collector);
      },
      onBroken: (error) => {
        settled();
        reject(error);
      },
    });
    const abort = (): void => {
      const gone = new ClientGone();
      exchange.request.abort(gone);
      body?.fail(new BodyError(400, gone.message, { cause: gone }));
      exchange.response.abandon(gone);
      reject(gone);
    };
    if (signal?.aborted === true) {
      abort();
      return;
    }
    signal?.addEventListener("abort", abort, { once: true });
    hosted.run(exchange);
  });
}

interface InjectedExchange {
  readonly exchange: HostedExchange;
  readonly collector: ResponseCollector;
  readonly body: MessageBody | undefined;
}

function openExchange(hosted: HostedApp, options: InjectOptions, events: CollectorEvents): InjectedExchange {
  const { method = "GET", path = "/", httpVersion = "1.1" } = options;
  const { rawHeaders, length } = framedHeaders(options);
  const upgrade = asksForUpgrade(method, httpVersion, joinFields(rawHeaders));
  const collector = new ResponseCollector({ method, httpVersion, upgrade: upgrade && length === 0 }, events);
  const expectsContinue =
    httpVersion === "1.1" && /^100-continue$/i.test(fieldValue(rawHeaders, "expect") ?? "");
  const source =
    length === 0
      ? undefined
      : new IterableSource(options.body ?? "", {
          length,
          limit: hosted.bodyLimit,
          rawTrailers: rawFields(options.trailers),
          onStart: () => {
            if (expectsContinue && !exchange.response.headSent) collector.informational(100, []);
          },
          onBroken: (error) => exchange.request.abort(new ClientGone(error.message)),
        });
  const connection = {
    peer: options.remote ?? CLIENT,
    local: options.local ?? SERVER,
    scheme: options.scheme ?? "http",
  };
  const head = { method, target: path, httpVersion, rawHeaders, upgrade };
  const exchange = hosted.open(head, connection, source?.body, collector);
  return { exchange, collector, body: source?.body };
}

/** Adds the fields that a client would: Host and framing. */
function framedHeaders(options: InjectOptions): { rawHeaders: string[]; length: number | undefined } {
  const rawHeaders = rawFields(options.headers);
  const { body, trailers, httpVersion = "1.1" } = options;
  if (httpVersion === "1.1" && fieldValue(rawHeaders, "host") === undefined) {
    rawHeaders.unshift("Host", "localhost");
  }
  const declared = fieldValue(rawHeaders, "content-length");
  if (declared !== undefined) return { rawHeaders, length: Number(declared) };
  if (fieldValue(rawHeaders, "transfer-encoding") !== undefined) return { rawHeaders, length: undefined };
  const whole = body === undefined || typeof body === "string" || body instanceof Uint8Array;
  if (trailers === undefined && whole) {
    const length = Buffer.byteLength(body ?? "");
    if (length === 0) return { rawHeaders, length };
    rawHeaders.push("Content-Length", String(length));
    return { rawHeaders, length };
  }
  rawHeaders.push("Transfer-Encoding", "chunked");
  return { rawHeaders, length: undefined };
}

function injectedAnswer(collected: ResponseCollector, errors: Error[]): InjectedAnswer {
  const { status, rawHeaders, rawTrailers, upgraded } = collected;
  const body = collected.content;
  const text = (): string => Buffer.from(body).toString("utf8");
  return {
    status,
    headers: joinFields(rawHeaders),
    rawHeaders,
    values: (name) =>
      rawHeaders.filter(
        (_value, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name.toLowerCase(),
      ),
    body,
    text,
    json: <T>() => JSON.parse(text()) as T,
    trailers: joinFields(rawTrailers),
    rawTrailers,
    informational: collected.informationals.map((each) => ({
      ...each,
      headers: joinFields(each.rawHeaders),
    })),
    upgraded,
    errors,
  };
}
