/** `tsgun/testing`: calls an app without a socket, with everything a server promises it. */
import type { Duplex } from "node:stream";
import { BodyError, ClientGone } from "../errors.ts";
import { fieldPairs, joinFields } from "../gateway/fields.ts";
import type { App, Endpoint, Fields, GatewayRequest, Handler, HeadersInput } from "../gateway/types.ts";
import { AnswerCollector } from "./answer-collector.ts";
import { asksForUpgrade, fieldValue } from "./framing.ts";
import { HostedApp } from "./hosted-app.ts";
import { IterableSource, type RequestContent } from "./iterable-source.ts";

export interface InjectOptions {
  /** GET by default. */
  readonly method?: string;
  /** The request-target, query included, sent as it is; `/` by default. */
  readonly path?: string;
  /** Host is added where it is missing, and what frames the body. */
  readonly headers?: HeadersInput;
  readonly body?: RequestContent;
  /** Trailer fields, sent behind the body. */
  readonly trailers?: HeadersInput;
  /** `1.1` by default. */
  readonly httpVersion?: "1.0" | "1.1";
  readonly scheme?: "http" | "https";
  /** Who asks; port 40000 of 127.0.0.1 by default. */
  readonly remote?: Endpoint;
  readonly local?: Endpoint;
  readonly rootPath?: string;
  /** Whose word of others the server takes (addresses, CIDRs, `unix`, `*`); nobody's by default. */
  readonly forwardedAllowIps?: readonly string[];
  /** The client goes away when it aborts. */
  readonly signal?: AbortSignal;
  /** Gives the app this state and runs neither its `startup` nor its `shutdown`. */
  readonly state?: unknown;
  /** The server's limit for a request body in bytes. */
  readonly bodyLimit?: number;
  /** The server's limit of time for the head of the answer, in milliseconds. */
  readonly requestTimeout?: number;
  /** Called with each error that a server would log; they are in `errors` of the answer too. */
  readonly onError?: (error: Error, request: GatewayRequest) => void;
}

export interface InformationalAnswer {
  readonly status: number;
  readonly headers: Fields;
  readonly rawHeaders: readonly string[];
}

export interface InjectedAnswer {
  /** 101 for an upgrade; 0 for one whose handshake the app writes itself. */
  readonly status: number;
  /** As in a request: names in lower case, repeated fields joined. */
  readonly headers: Fields;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  /** Every value of a field, for those that cannot be joined (Set-Cookie). */
  values(name: string): string[];
  readonly body: Uint8Array;
  text(): string;
  json<T = unknown>(): T;
  readonly trailers: Fields;
  readonly rawTrailers: readonly string[];
  /** The 1xx answers before the final one, in order. */
  readonly informational: readonly InformationalAnswer[];
  /** The client's end of the connection, where the app has taken it over. */
  readonly upgraded: Duplex | undefined;
  /** What a server would have logged. */
  readonly errors: readonly Error[];
}

const CLIENT: Endpoint = { family: "ipv4", address: "127.0.0.1", port: 40000 };
const SERVER: Endpoint = { family: "ipv4", address: "127.0.0.1", port: 80 };

/**
 * Sends one request to `app` and returns its answer, complete. An app object is started before and shut
 * down after, unless a `state` is given. What a handler throws before its head is sent is a 500, as on any
 * server, and stands in `errors`.
 *
 * Rejects with the app's error where a server would have broken the connection off, with what
 * `startup` or `shutdown` threw, and with `ClientGone` when `signal` aborts before the answer is complete.
 * Waits for as long as the app does not answer: bound it with `requestTimeout`, or `signal`.
 */
export async function inject<State = unknown>(
  app: App<State> | Handler<State>,
  options: InjectOptions = {},
): Promise<InjectedAnswer> {
  // What `startup` makes is what the handler gets: within, the type of the state is nobody's business.
  return injectInto(app as App | Handler, options);
}

async function injectInto(app: App | Handler, options: InjectOptions): Promise<InjectedAnswer> {
  const errors: Error[] = [];
  const hosted = new HostedApp("state" in options ? withoutLife(app) : app, {
    ...options,
    onError: (error, request) => {
      errors.push(error);
      options.onError?.(error, request);
    },
  });
  if ("state" in options) hosted.state = options.state;
  await hosted.ready;
  let collected: AnswerCollector;
  try {
    collected = await collect(hosted, options);
  } catch (error) {
    await hosted.close();
    throw error;
  }
  // What the app does on a connection it has taken over ends with that.
  if (collected.upgraded === undefined) await hosted.close();
  else collected.upgraded.once("close", () => hosted.close().catch((error: Error) => errors.push(error)));
  return injectedAnswer(collected, errors);
}

function withoutLife(app: App | Handler): App {
  if (typeof app === "function") return { handle: app };
  return {
    handle: (request, respond) => app.handle(request, respond),
    ...(app.upgrade !== undefined && { upgrade: app.upgrade.bind(app) }),
  };
}

function collect(hosted: HostedApp, options: InjectOptions): Promise<AnswerCollector> {
  const { method = "GET", path = "/", httpVersion = "1.1", signal } = options;
  const { rawHeaders, length } = framedHeaders(options);
  const upgrade = asksForUpgrade(method, httpVersion, joinFields(rawHeaders));
  return new Promise((resolve, reject) => {
    const collector = new AnswerCollector(
      { method, httpVersion, upgrade: upgrade && length === 0 },
      {
        onEnd: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve(collector);
        },
        onBroken: (error) => {
          signal?.removeEventListener("abort", onAbort);
          reject(error);
        },
      },
    );
    const waits = httpVersion === "1.1" && /^100-continue$/i.test(fieldValue(rawHeaders, "expect") ?? "");
    const sender =
      length === 0
        ? undefined
        : new IterableSource(options.body ?? "", {
            length,
            limit: hosted.bodyLimit,
            rawTrailers: fieldPairs(options.trailers),
            onStart: () => {
              if (waits && !exchange.answer.headSent) collector.informational(100, []);
            },
            onBroken: (error) => exchange.request.abort(new ClientGone(error.message)),
          });
    const peer = options.remote ?? CLIENT;
    const connection = { peer, local: options.local ?? SERVER, scheme: options.scheme ?? "http" };
    const head = { method, target: path, httpVersion, rawHeaders, upgrade };
    const exchange = hosted.open(head, connection, sender?.body, collector);
    const onAbort = (): void => {
      const gone = new ClientGone();
      exchange.request.abort(gone);
      sender?.body.fail(new BodyError(400, gone.message, { cause: gone }));
      exchange.answer.abandon(gone);
      reject(gone);
    };
    if (signal?.aborted === true) {
      onAbort();
      return;
    }
    signal?.addEventListener("abort", onAbort, { once: true });
    hosted.run(exchange);
  });
}

/** Adds what a client would: Host, and how its content is framed. */
function framedHeaders(options: InjectOptions): { rawHeaders: string[]; length: number | undefined } {
  const rawHeaders = fieldPairs(options.headers);
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

function injectedAnswer(collected: AnswerCollector, errors: Error[]): InjectedAnswer {
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
