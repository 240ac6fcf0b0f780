/**
 * Node's response of its compatibility API, as node listeners know responses from HTTP/1.1: it checks values, leaves out
 * what only a connection of HTTP/1.1 has, declares the length of short content, and has the methods that Node's own lacks.
 * Once the server has answered in its place, it swallows what the app still does.
 */
import { Http2ServerResponse, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { forbidsContent } from "../../gateway/statuses.ts";
import { asksToClose } from "../../http/response-head.ts";
import { validateHeaderName, validateHeaderValue } from "../../native/http.ts";
import { breakOff, socketOf } from "./compat-socket.ts";
import { isConnectionField, isSingleField } from "./response-fields.ts";

/** The exchange, to its response. */
export interface CompatHost {
  /** The connection. */
  readonly socket: Socket;
  /** All of the response has been sent. */
  readonly responseIsComplete: boolean;
  /** The head is about to be sent. @param closes the app asks to close the connection */
  responding(closes: boolean): void;
  /** The head has been sent. */
  responded(): void;
}

interface ResponseState {
  readonly host: CompatHost;
  socket: Socket | undefined;
  /** The server has answered instead. */
  isLeft: boolean;
  /** The app asks to close the connection. */
  closes: boolean;
}

type Callback = (error: never) => void;
type Chunk = string | Uint8Array;
type Value = number | string | readonly string[];
/** As `writeHead` takes them: an object, pairs, or names and values in turn. */
type Headers = OutgoingHttpHeaders | readonly (string | readonly [string, Value])[];

/** Missing in its types. */
const { setTrailer } = Http2ServerResponse.prototype as unknown as {
  setTrailer(this: Http2ServerResponse, name: string, value: Value): void;
};

// A symbol and no private member: an app may call the methods on an object that it made from the response.
const STATE = Symbol("tsgun.response");

export class CompatResponse extends Http2ServerResponse {
  readonly [STATE]: ResponseState;

  constructor(stream: ServerHttp2Stream, host: CompatHost) {
    super(stream);
    this[STATE] = { host, socket: undefined, isLeft: false, closes: false };
  }

  override setHeader(name: string, value: Value): this {
    if (!this[STATE].isLeft && takesField(this, name, value)) super.setHeader(name, sendable(name, value));
    return this;
  }

  override appendHeader(name: string, value: string | string[]): this {
    const earlier = this.getHeader(name) as string | string[] | undefined;
    return this.setHeader(name, earlier === undefined ? value : [earlier, value].flat());
  }

  setHeaders(headers: Iterable<readonly [string, Value]>): this {
    for (const [name, value] of headers) {
      // `Headers` has one entry for each cookie.
      if (name.toLowerCase() === "set-cookie" && this.hasHeader(name))
        this.appendHeader(name, value as string);
      else this.setHeader(name, value);
    }
    return this;
  }

  override removeHeader(name: string): void {
    if (!this[STATE].isLeft) super.removeHeader(name);
  }

  getRawHeaderNames(): string[] {
    return this.getHeaderNames();
  }

  override addTrailers(trailers: Headers): void {
    const pairs = Array.isArray(trailers) ? (trailers as [string, Value][]) : Object.entries(trailers);
    const all: Record<string, Value> = Object.create(null);
    for (const [name, value] of pairs) {
      const key = name.toLowerCase();
      all[key] = all[key] === undefined ? (value as Value) : ([all[key], value].flat() as string[]);
    }
    for (const [name, value] of Object.entries(all)) this.setTrailer(name, value);
  }

  setTrailer(name: string, value: Value): void {
    validateHeaderName(name);
    validateHeaderValue(name, value as string);
    if (!isConnectionField(name.toLowerCase())) setTrailer.call(this, name, value);
  }

  override writeHead(status: number, reason?: string | Headers, headers?: Headers): this {
    if (isGone(this)) return this;
    const fields = typeof reason === "string" ? headers : (headers ?? reason);
    if (fields !== undefined && fields !== null) setFields(this, fields);
    const { host, closes } = this[STATE];
    // Node throws if it has been sent.
    if (!this.headersSent) host.responding(closes);
    super.writeHead(status);
    host.responded();
    return this;
  }

  /** Libraries call it to have the head sent (on-headers and others). */
  _implicitHeader(): void {
    this.writeHead(this.statusCode);
  }

  override write(chunk: unknown, encoding?: BufferEncoding | Callback | null, done?: Callback): boolean {
    const after = typeof encoding === "function" ? encoding : done;
    if (isGone(this)) return swallow(after, false);
    if (isBare(this) && !this.writableEnded) {
      if (!this.headersSent) this.writeHead(this.statusCode);
      return swallow(after, true);
    }
    const charset = typeof encoding === "string" ? encoding : "utf8";
    return super.write(chunk as Chunk, charset, after as never);
  }

  override end(chunk?: unknown, encoding?: BufferEncoding | Callback | null, done?: Callback): this {
    const content = (typeof chunk === "function" ? undefined : chunk) as Chunk | null | undefined;
    const after = [chunk, encoding, done].find((part) => typeof part === "function") as Callback | undefined;
    if (this[STATE].isLeft) {
      swallow(after, true);
      return this;
    }
    const charset = typeof encoding === "string" ? encoding : "utf8";
    if (!this.headersSent && !this.writableEnded) declareLength(this, content, charset);
    const isEmpty = content === undefined || content === null || isBare(this);
    if (isEmpty) super.end(after as never);
    else super.end(content, charset, after as never);
    return this;
  }

  override destroy(_error?: Error): this {
    breakOff(this.stream);
    return this;
  }

  /** Node says that it has finished whenever it has closed. */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event === "finish" && !this[STATE].host.responseIsComplete) return false;
    return super.emit(event as never, ...(args as never[]));
  }

  override writeContinue(): boolean {
    return !isGone(this) && !this.headersSent && Boolean(super.writeContinue());
  }

  writeProcessing(): void {
    if (!isGone(this) && !this.headersSent) this.stream.additionalHeaders({ ":status": 102 });
  }

  override writeEarlyHints(hints: Record<string, string | string[]>, done?: Callback): boolean {
    for (const [name, value] of Object.entries(hints)) {
      validateHeaderName(name);
      validateHeaderValue(name, value as string);
    }
    const isSent = !isGone(this) && !this.headersSent && Boolean(super.writeEarlyHints(hints));
    swallow(done, true);
    return isSent;
  }
}

/** From now on nothing that the app does has an effect: the server answers. The app may have replaced its methods. */
export function leave(response: CompatResponse): void {
  response[STATE].isLeft = true;
}

/** Whether nothing that the app sends arrives any more. */
function isGone(response: CompatResponse): boolean {
  const { stream } = response;
  return response[STATE].isLeft || stream.destroyed || stream.closed;
}

/** Whether the response has no content: what the app writes is left out, as with HTTP/1.1. */
function isBare({ stream, statusCode }: CompatResponse): boolean {
  return isHead(stream) || forbidsContent(statusCode);
}

/** Missing in the types. */
function isHead(stream: ServerHttp2Stream): boolean {
  return (stream as ServerHttp2Stream & { readonly headRequest: boolean }).headRequest;
}

/** Whether the field is sent. @throws TypeError as with HTTP/1.1, if it is malformed */
function takesField(response: CompatResponse, name: string, value: Value): boolean {
  validateHeaderName(name);
  validateHeaderValue(name, value as string);
  const lower = name.toLowerCase();
  if (!isConnectionField(lower)) return true;
  if (lower === "connection" && asksToClose([lower, String(value)])) response[STATE].closes = true;
  return false;
}

/** The first value counts of a field that has one, as in a request; node:http2 would throw when the head is sent. */
function sendable(name: string, value: Value): string {
  return (Array.isArray(value) && isSingleField(name.toLowerCase()) ? value[0] : value) as string;
}

function setFields(response: CompatResponse, fields: Headers): void {
  if (!Array.isArray(fields)) {
    for (const [name, value] of Object.entries(fields as OutgoingHttpHeaders))
      response.setHeader(name, value as Value);
    return;
  }
  const pairs = Array.isArray(fields[0]) ? (fields as [string, string][]) : inPairs(fields as string[]);
  // They replace fields that were set, and may repeat each other.
  for (const [name] of pairs) response.removeHeader(name);
  for (const [name, value] of pairs) response.appendHeader(name, value);
}

function inPairs(fields: readonly string[]): [string, string][] {
  if (fields.length % 2 !== 0) throw new TypeError("writeHead needs a value for each name of its headers");
  const pairs: [string, string][] = [];
  for (let index = 0; index < fields.length; index += 2)
    pairs.push([fields[index] as string, fields[index + 1] as string]);
  return pairs;
}

/** Node declares the length over HTTP/1.1, where content is given at once. */
function declareLength(
  response: CompatResponse,
  content: Chunk | null | undefined,
  charset: BufferEncoding,
): void {
  if (response.hasHeader("content-length") || isGone(response) || forbidsContent(response.statusCode)) return;
  const isEmpty = content === undefined || content === null;
  // It would say of a HEAD that there is no content.
  if (isEmpty && isHead(response.stream)) return;
  const length = isEmpty
    ? 0
    : typeof content === "string"
      ? Buffer.byteLength(content, charset)
      : content.length;
  if (length !== undefined) response.setHeader("content-length", length);
}

function swallow(done: Callback | undefined, result: boolean): boolean {
  if (typeof done === "function") process.nextTick(done);
  return result;
}

interface Accessor {
  get(this: CompatResponse): unknown;
  set?(value: unknown): void;
}

/** Members that Node's own lacks, that are fields in the types, or that warn on standard error. */
const MEMBERS: { readonly [name: string]: Accessor } = {
  socket: { get: socketIfOpen },
  connection: { get: socketIfOpen },
  destroyed: {
    get() {
      return this.stream.destroyed;
    },
  },
  closed: {
    get() {
      return this.stream.destroyed;
    },
  },
  errored: { get: () => null },
  // A stream that was reset ends as well.
  writableFinished: {
    get() {
      return this[STATE].host.responseIsComplete;
    },
  },
  writableNeedDrain: {
    get() {
      return this.stream.writableNeedDrain;
    },
  },
  writableObjectMode: { get: () => false },
  // HTTP/2 has none.
  statusMessage: { get: () => "", set: () => {} },
};

for (const [name, accessor] of Object.entries(MEMBERS))
  Object.defineProperty(CompatResponse.prototype, name, { configurable: true, ...accessor });

/** As with HTTP/1.1, a response that has closed has no socket. */
function socketIfOpen(this: CompatResponse): Socket | undefined {
  if (this.stream.destroyed) return undefined;
  const state = this[STATE];
  state.socket ??= socketOf(this.stream, state.host.socket);
  return state.socket;
}
