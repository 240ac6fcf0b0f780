/**
 * The gateway interface, version 1.0: the contract between a server and an application.
 *
 * This file states the contract as types, `docs/gateway.md` states it in prose. It imports types only, so
 * that an application that uses these types has no dependency at run time.
 */
import type { FileHandle } from "node:fs/promises";
import type { Duplex, Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";

/** The version of the gateway interface that these types describe. */
export type GatewayVersion = "1.0";

/** One end of a connection. A Unix socket has the family `unix`, its path (or "") as the address, and port 0. */
export interface Endpoint {
  readonly family: "ipv4" | "ipv6" | "unix";
  readonly address: string;
  readonly port: number;
}

/** The facts of TLS of a connection, where it ends in this server. */
export interface TlsInfo {
  /** Such as `TLSv1.3`. */
  readonly version: string;
  /** The cipher suite by its standard name (IANA), such as `TLS_AES_256_GCM_SHA384`. */
  readonly cipher: string;
  /** The name that the client asked for (SNI, RFC 6066 section 3); undefined if it sent none. */
  readonly serverName: string | undefined;
  /** The protocol that both have agreed on (ALPN, RFC 7301), such as `h2`; undefined without. */
  readonly alpn: string | undefined;
  /** The client's certificate, verified or not; undefined if it sent none. */
  readonly peerCertificate: PeerCertificate | undefined;
}

/** A client's certificate (mutual TLS). */
export interface PeerCertificate {
  /** Whether a trusted authority has signed it. */
  readonly authorized: boolean;
  /** Why not, such as `CERT_HAS_EXPIRED`; undefined if it is. */
  readonly error: string | undefined;
  /** The distinguished name (RFC 4514): `CN=shop,O=Example`. */
  readonly subject: string;
  readonly issuer: string;
  /** Hexadecimal, in upper case, without separators. */
  readonly serialNumber: string;
  /** SHA-256 of the certificate: hexadecimal, in upper case, without separators. */
  readonly fingerprint256: string;
  /** Alternative names, as in `DNS:shop.example, URI:spiffe://example/shop`; undefined if there are none. */
  readonly subjectAltName: string | undefined;
  readonly validFrom: Date;
  readonly validTo: Date;
  /** The certificate itself in DER. */
  readonly raw: Uint8Array;
}

/** The facts that a load balancer has told of a connection by the PROXY protocol. */
export interface ProxyInfo {
  readonly version: 1 | 2;
  /** The balancer itself: the other end of the connection that it made. */
  readonly balancer: Endpoint;
  /** The type-length-value vectors of version 2 in their order; empty in version 1. */
  readonly tlvs: readonly ProxyTlv[];
  /** The balancer's facts of TLS between the client and itself (`PP2_TYPE_SSL`); undefined if there was none. */
  readonly tls: ProxyTls | undefined;
}

/** TLS that has ended at a load balancer, in its words. `request.scheme` is `https` then. */
export interface ProxyTls {
  /** Such as `TLSv1.3`; undefined if it does not say. */
  readonly version: string | undefined;
  readonly cipher: string | undefined;
  /** Whether the client has shown a certificate, on this connection or earlier in its session. */
  readonly hasCertificate: boolean;
  /** Whether the balancer has verified it. */
  readonly authorized: boolean;
  /** The common name of that certificate. */
  readonly commonName: string | undefined;
}

/** One vector of a PROXY header (its specification, section 2.2). */
export interface ProxyTlv {
  /** 0 to 255: `0x02` is the authority that the client asked for, `0x05` a unique id. */
  readonly type: number;
  readonly value: Uint8Array;
}

/**
 * Header fields by lower-case name, without a prototype. Repeated fields are joined with ", "
 * (RFC 9110 section 5.3), `cookie` with "; ". Fields that cannot be joined (Set-Cookie, as RFC 9110
 * section 5.3 notes, and fields whose value is not a list) keep their first value here; `rawHeaders`
 * contains every value.
 */
export type Fields = { readonly [name: string]: string | undefined };

/** The worker process that a handler runs in. */
export interface WorkerInfo {
  readonly pid: number;
  /** The worker's slot in the pool, from 1. A replacement inherits the slot of the worker it replaces. */
  readonly slot: number;
  /** The number of the deploy: all workers of one reload have the same generation. */
  readonly generation: number;
  /** The version of the gateway interface that the server implements. */
  readonly gateway: GatewayVersion;
  /** The server and its version, as in the field Server (RFC 9110 section 10.2.4): `tsgun/1.2.0`. */
  readonly server: string;
  /**
   * Aborts once, when this worker begins to drain: end long responses (SSE, WebSocket) soon after. It lives as long as
   * the worker and keeps its listeners alive: remove a listener when the response ends, or use `endSignal`.
   */
  readonly drain: AbortSignal;
}

/** The content of a request. It can be read once, in one way, with backpressure. */
export interface RequestBody extends AsyncIterable<Uint8Array> {
  /** The declared length in bytes: 0 for no content, undefined if chunked. */
  readonly length: number | undefined;
  /** True once reading has begun in any way. Reading a second time throws `GatewayError`. */
  readonly used: boolean;
  /** Reads the whole content. Throws `BodyError` (413) beyond `limit` bytes. */
  bytes(options?: BodyOptions): Promise<Uint8Array>;
  /** Reads the whole content as UTF-8, without a byte order mark. */
  text(options?: BodyOptions): Promise<string>;
  /** Reads and parses the whole content as JSON. Throws `BodyError` (400) if it is not JSON. */
  json<T = unknown>(options?: BodyOptions): Promise<T>;
  /** Returns the content as a Node stream. */
  stream(): Readable;
  /** Returns the content as a web stream. */
  web(): ReadableStream<Uint8Array>;
}

export interface BodyOptions {
  /** Maximum bytes to accept; beyond it reading throws `BodyError` with status 413. Default: the server's limit. */
  readonly limit?: number;
}

/** One request. All members are read-only; costly ones are computed on first access. */
export interface GatewayRequest<State = unknown> {
  /** The method in its original case: methods are case-sensitive (RFC 9110 section 9.1). */
  readonly method: string;
  /** The request-target exactly as received: `/a%20b?c=d`, `http://host/a`, `host:443` or `*`. */
  readonly target: string;
  /** The path, percent-encoded, without query and without `rootPath`. `*` for `OPTIONS *`. */
  readonly path: string;
  /** The query after the first `?`, without the `?`; "" if there is none. */
  readonly query: string;
  /** The prefix under which a proxy mounts this app (SCRIPT_NAME), without a trailing slash; "" if there is none. */
  readonly rootPath: string;
  readonly httpVersion: "1.0" | "1.1" | "2.0";
  readonly scheme: "http" | "https";
  /** The authority the client asked for (host and port as sent); "" for an HTTP/1.0 request without Host. */
  readonly host: string;
  readonly headers: Fields;
  /** Alternating names and values in the order and case received, repeated fields included. */
  readonly rawHeaders: readonly string[];
  /** The client, according to the trusted proxies; port 0 if they do not forward it. */
  readonly remote: Endpoint;
  /** The other end of the connection: the nearest proxy, or the client itself. */
  readonly peer: Endpoint;
  readonly local: Endpoint;
  /** The facts of TLS of the connection, if it ends in this server. */
  readonly tls?: TlsInfo | undefined;
  /** The facts that a load balancer has told of the connection by the PROXY protocol. */
  readonly proxy?: ProxyInfo | undefined;
  /** The request id, from a trusted X-Request-ID or generated here. */
  readonly id: string;
  readonly body: RequestBody;
  /** The trailer fields; empty until the body has been read to the end. */
  readonly trailers: Fields;
  readonly rawTrailers: readonly string[];
  /**
   * Aborts when the response is no longer wanted: the client disconnected (or closed its sending side,
   * which looks the same; a response is still delivered if the app sends one), the request timed out, or
   * the worker is forced to exit. Never aborts after the response is complete.
   */
  readonly signal: AbortSignal;
  /**
   * Restarts this request's timeout with the given milliseconds; `Infinity` disables it. The timeout runs
   * until the head of the response is sent; when it expires, `signal` aborts and the response is a 503.
   */
  extend(milliseconds: number): void;
  /**
   * Has the worker wait for `work` before it calls `shutdown`, as it waits for what the handler returns, within the
   * server's bound. A rejection is reported with the request's id.
   */
  waitUntil(work: PromiseLike<unknown>): void;
  /** True if the client asks for a protocol change (Connection: upgrade and an Upgrade field, or CONNECT). */
  readonly upgrade: boolean;
  /** True once this worker drains: finish soon and start nothing long. */
  readonly draining: boolean;
  readonly worker: WorkerInfo;
  /** The value that the app's `startup` returned. */
  readonly state: State;
}

/** Response header fields: a plain object (arrays for repeated fields) or an iterable of pairs, such as `Headers`. */
export type HeadersInput =
  | { readonly [name: string]: string | number | readonly string[] | undefined }
  | Iterable<readonly [string, string]>;

/** A file, or a part of one, as the content of a response. */
export interface FileBody {
  /** A path, a `file:` URL or an open handle. The caller owns the handle; it is not closed. */
  readonly file: string | URL | FileHandle;
  /** Offset of the first byte to send. Default: 0. */
  readonly offset?: number;
  /** Number of bytes to send. Default: to the end. */
  readonly length?: number;
}

/** The content of a response; `null` for none. */
export type ResponseBody =
  | string
  | Uint8Array
  | null
  | FileBody
  | Blob
  | Readable
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array | string>
  | Iterable<Uint8Array | string>;

/** Writes a response piece by piece. Nothing is sent until the first write, flush or end. */
export interface ResponseWriter {
  /**
   * Sends a piece. Resolves when there is room for the next one; await it for backpressure. Rejects with
   * `ClientGone` if the client has disconnected.
   */
  write(chunk: string | Uint8Array): Promise<void>;
  /** Sends a last piece and ends the response. Trailer fields are sent if the framing allows them. */
  end(chunk?: string | Uint8Array | null, trailers?: HeadersInput): Promise<void>;
  /** Sends the head now, before any content. */
  flush(): Promise<void>;
  /** Aborts the response by destroying the connection, so that the part sent cannot look complete. */
  destroy(error?: Error): void;
}

/** Responds to a request, once. */
export interface Respond {
  /** Sends the whole response. The server adds framing, Date and Connection. */
  (status: number, headers: HeadersInput | null | undefined, body: ResponseBody): void;
  /** Begins a response and returns a writer for the content. For 204, 205 and 304 it is complete at once. */
  (status: number, headers?: HeadersInput | null): ResponseWriter;
  /** Sends an informational response (RFC 9110 section 15.2), such as 103 Early Hints. Does nothing for HTTP/1.0. */
  informational(status: number, headers?: HeadersInput): void;
  /**
   * Takes over the connection. With `headers`, it first sends a 101 with them (and `Connection: Upgrade`);
   * without, it sends nothing, for libraries that write their own handshake. Throws `GatewayError` if the
   * request did not ask for an upgrade.
   */
  upgrade(headers?: HeadersInput | null): Duplex;
  /** True once a response has begun (`respond` or `upgrade` was called). */
  readonly sent: boolean;
  /** Resolves when the complete response has been handed to the system; rejects if that failed. */
  finished(): Promise<Finished>;
}

/** A complete response. */
export interface Finished {
  /** 101 after an upgrade. */
  readonly status: number;
  /** Bytes of content that were sent: 0 for HEAD. */
  readonly bytes: number;
}

/**
 * An application: responds to one request. A handler that returns nothing may respond later. One that returns a promise
 * has responded, or begun to, when that resolves.
 */
export type Handler<State = unknown> = (
  request: GatewayRequest<State>,
  respond: Respond,
) => void | Promise<void>;

/** Wraps a handler in another handler. */
export type Middleware<State = unknown> = (next: Handler<State>) => Handler<State>;

/** Middleware for whole apps, with their start and end: `under(prefix, app)`. */
export type AppMiddleware<State = unknown> = (next: App<State> | Handler<State>) => App<State>;

/** A response that the server makes itself: to a request that it refuses, or in place of an app that failed. */
export interface ServerAnswer {
  /** 400 to 599. */
  readonly status: number;
  readonly error: Error;
  /** Undefined if no request was understood. */
  readonly request: GatewayRequest | undefined;
}

/** How an app dresses a response of the server. The status stays. */
export interface AnswerDress {
  readonly headers?: HeadersInput;
  readonly body?: string | Uint8Array | null;
}

/** An application with a lifecycle: `startup` acquires what `handle` needs, `shutdown` releases it. */
export interface App<State = unknown> {
  handle: Handler<State>;
  /** Runs in each worker before its first connection. Its result becomes `request.state`. */
  startup?(worker: WorkerInfo): State | Promise<State>;
  /** Runs in each worker after its last response. */
  shutdown?(state: State): void | Promise<void>;
  /** Handles upgrade requests. Without it they go to `handle`, which may ignore the upgrade. */
  upgrade?: Handler<State>;
  /**
   * Called for each response that the server makes itself, before it is sent. Returns fields and content for it, or
   * nothing to leave it as it is. It must not take long: clients may bring such responses about as they like.
   */
  onServerAnswer?(answer: ServerAnswer): AnswerDress | undefined;
}
