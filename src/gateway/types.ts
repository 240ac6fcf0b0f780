/**
 * The gateway interface, version 1.0: the contract between a server and an application.
 *
 * This file is the contract as types; `docs/gateway.md` is the same contract as prose. It imports
 * types only, so that an application which names these types depends on nothing at run time.
 */
import type { FileHandle } from "node:fs/promises";
import type { Duplex, Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";

/** The version of the gateway interface that these types describe. */
export type GatewayVersion = "1.0";

/** One end of a connection. A Unix socket has family `unix`, its path (or "") as address, and port 0. */
export interface Endpoint {
  readonly family: "ipv4" | "ipv6" | "unix";
  readonly address: string;
  readonly port: number;
}

/**
 * Header fields by lower-case name, without a prototype. Repeated fields are joined with ", "
 * (RFC 9110 section 5.3), `cookie` with "; ". Fields that cannot be joined (RFC 9110 section 5.3 names
 * Set-Cookie; the others have a value that is not a list) keep their first value here; every value
 * stands in `rawHeaders`.
 */
export type Fields = { readonly [name: string]: string | undefined };

/** What a handler may know about the process it runs in. */
export interface WorkerInfo {
  readonly pid: number;
  /** The worker's place in the pool, from 1. A replacement takes over the slot of the one it replaces. */
  readonly slot: number;
  /** Counts deploys: every worker of one reload has the same generation. */
  readonly generation: number;
  /**
   * Aborts once, when this worker begins to drain: end long answers (SSE, WebSocket) soon after. It lives as long as
   * the worker, and so does what listens to it: take the listener away with the answer, or use `endSignal`.
   */
  readonly drain: AbortSignal;
}

/** The content of a request: read once, in one way, at the speed of the reader. */
export interface RequestBody extends AsyncIterable<Uint8Array> {
  /** The declared length in bytes; 0 when there is no content, undefined when it comes in chunks. */
  readonly length: number | undefined;
  /** True once any of the ways to read has been chosen. Choosing a second one throws `GatewayError`. */
  readonly used: boolean;
  /** Everything, in one piece. Throws `BodyError` (413) beyond `limit` bytes. */
  bytes(options?: BodyOptions): Promise<Uint8Array>;
  /** Everything, decoded as UTF-8, without a byte order mark. */
  text(options?: BodyOptions): Promise<string>;
  /** Everything, parsed as JSON. Throws `BodyError` (400) when it is not JSON. */
  json<T = unknown>(options?: BodyOptions): Promise<T>;
  /** As a Node stream. */
  stream(): Readable;
  /** As a web stream. */
  web(): ReadableStream<Uint8Array>;
}

export interface BodyOptions {
  /** The most bytes to accept; beyond it reading throws `BodyError` with status 413. Default: the server's limit. */
  readonly limit?: number;
}

/** One request. Everything on it is read-only; what is not touched is not made. */
export interface GatewayRequest<State = unknown> {
  /** The method, case as received: methods are case-sensitive (RFC 9110 section 9.1). */
  readonly method: string;
  /** The request-target exactly as received: `/a%20b?c=d`, `http://host/a`, `host:443` or `*`. */
  readonly target: string;
  /** The path, percent-encoded, without query and without `rootPath`. `*` for `OPTIONS *`. */
  readonly path: string;
  /** What follows the first `?`, without it; "" where there is none. */
  readonly query: string;
  /** The prefix under which a proxy mounts this app (SCRIPT_NAME), without a trailing slash; "" where there is none. */
  readonly rootPath: string;
  readonly httpVersion: "1.0" | "1.1";
  readonly scheme: "http" | "https";
  /** The authority the client asked for (host and port as sent), "" for an HTTP/1.0 request without Host. */
  readonly host: string;
  readonly headers: Fields;
  /** Names and values in turn, in the order, case and number in which they came. */
  readonly rawHeaders: readonly string[];
  /** Who asks, after the rules for trusted proxies; port 0 where they do not tell it. */
  readonly remote: Endpoint;
  /** Who is at the other end of the connection: the nearest proxy, or the client itself. */
  readonly peer: Endpoint;
  readonly local: Endpoint;
  /** From a trusted X-Request-ID, else made here. */
  readonly id: string;
  readonly body: RequestBody;
  /** The trailer fields; empty until the body has been read to its end. */
  readonly trailers: Fields;
  readonly rawTrailers: readonly string[];
  /**
   * Aborts when nobody waits for the answer any more: the client went away (or closed its sending side,
   * which looks the same; an answer is still delivered if one is made), the request timed out, or the
   * worker is forced out. Never aborts after the answer is complete.
   */
  readonly signal: AbortSignal;
  /**
   * Restarts this request's clock with as much time as given, in milliseconds; `Infinity` stops it. The
   * clock runs until the head of the answer is sent; when it ends, `signal` aborts and the answer is 503.
   */
  extend(milliseconds: number): void;
  /** True when the client asks to change protocols (Connection: upgrade and an Upgrade field, or CONNECT). */
  readonly upgrade: boolean;
  /** True once this worker drains: finish soon, start nothing long. */
  readonly draining: boolean;
  readonly worker: WorkerInfo;
  /** What the app's `startup` returned. */
  readonly state: State;
}

/** Response header fields: a plain object (arrays for repeats), pairs, or anything iterable in pairs, as `Headers` is. */
export type HeadersInput =
  | { readonly [name: string]: string | number | readonly string[] | undefined }
  | Iterable<readonly [string, string]>;

/** A file, or a part of one, as the content of a response. */
export interface FileBody {
  /** A path or an open handle. A handle is left open; it is the caller's. */
  readonly file: string | FileHandle;
  /** First byte to send, from 0. */
  readonly offset?: number;
  /** How many bytes to send; default: to the end. */
  readonly length?: number;
}

/** The content of a response. `null` is none. */
export type ResponseBody =
  | string
  | Uint8Array
  | null
  | FileBody
  | Readable
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array | string>
  | Iterable<Uint8Array | string>;

/** Writes a response piece by piece. Nothing is sent until the first write, flush or end. */
export interface ResponseWriter {
  /**
   * Sends a piece. Resolves when there is room for the next one (wait for it: that is backpressure);
   * rejects with `ClientGone` when the client has gone.
   */
  write(chunk: string | Uint8Array): Promise<void>;
  /** Sends a last piece and ends the response, with trailer fields if given (and if the framing has room for them). */
  end(chunk?: string | Uint8Array | null, trailers?: HeadersInput): Promise<void>;
  /** Sends the head now, before there is content. */
  flush(): Promise<void>;
  /** Gives up: the connection is destroyed, so that what was sent cannot look complete. */
  destroy(error?: Error): void;
}

/** Answers a request, once. */
export interface Respond {
  /** The whole answer in one call. Framing, Date and Connection are the server's. */
  (status: number, headers: HeadersInput | null | undefined, body: ResponseBody): void;
  /** The start of an answer; the rest goes through the writer. For 204, 205 and 304 the answer is complete at once. */
  (status: number, headers?: HeadersInput | null): ResponseWriter;
  /** Sends an informational answer (RFC 9110 section 15.2), such as 103 Early Hints. Nothing happens for HTTP/1.0. */
  informational(status: number, headers?: HeadersInput): void;
  /**
   * Takes the connection over. With `headers`, a 101 with them (and `Connection: Upgrade`) is sent first;
   * without, nothing is sent, for libraries that write their own handshake. Throws `GatewayError` if the
   * request asked for no upgrade.
   */
  upgrade(headers?: HeadersInput | null): Duplex;
  /** True once an answer has been begun (`respond` or `upgrade` was called). */
  readonly sent: boolean;
  /** Resolves when the answer is complete and handed to the system; rejects when it could not be. */
  finished(): Promise<void>;
}

/** An application: answers one request. What it returns is awaited for its errors only. */
export type Handler<State = unknown> = (
  request: GatewayRequest<State>,
  respond: Respond,
) => void | Promise<void>;

/** Wraps a handler in another. */
export type Middleware<State = unknown> = (next: Handler<State>) => Handler<State>;

/** An application with a life: what `handle` needs is made in `startup` and given back in `shutdown`. */
export interface App<State = unknown> {
  handle: Handler<State>;
  /** Runs in each worker before its first connection; what it returns is `request.state`. */
  startup?(worker: WorkerInfo): State | Promise<State>;
  /** Runs in each worker after its last answer. */
  shutdown?(state: State): void | Promise<void>;
  /** Takes the requests that ask to change protocols; without it they go to `handle`, which may ignore the wish. */
  upgrade?: Handler<State>;
}
