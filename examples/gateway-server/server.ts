/**
 * A server of the gateway interface (docs/gateway.md) on node:net, written from that text alone: HTTP/1.1, one process,
 * the same file on Node 20 to 26 and on Bun. It imports nothing of tsgun but types.
 */
import { type FileHandle, open } from "node:fs/promises";
import { STATUS_CODES } from "node:http";
import { createServer, type Socket } from "node:net";
import { Duplex, PassThrough, Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";
import type {
  App,
  BodyOptions,
  Endpoint,
  FileBody,
  Finished,
  GatewayRequest,
  Handler,
  HeadersInput,
  RequestBody,
  Respond,
  ResponseBody,
  ResponseWriter,
  WorkerInfo,
} from "tsgun/gateway";

export interface ServeOptions {
  /** 0, the default, takes a free port. */
  readonly port?: number | undefined;
  readonly host?: string | undefined;
  readonly rootPath?: string | undefined;
  /** In bytes. */
  readonly bodyLimit?: number | undefined;
  /** Until the head of an answer, in milliseconds. */
  readonly requestTimeout?: number | undefined;
  /** How long `close` waits for exchanges and handlers, and for `shutdown`, in milliseconds. Default: 3000. */
  readonly gracefulTimeout?: number | undefined;
  readonly onError?: ((error: Error, request: { readonly id: string }) => void) | undefined;
}

export interface RunningServer {
  readonly port: number;
  drain(): void;
  close(): Promise<void>;
}

type Pairs = (readonly [name: string, value: string])[];
type Body = string | Uint8Array | null;

const HEAD_LIMIT = 32_768;
/** A connection holds no more unread bytes than this, and one read (5.3.2). */
const UNREAD_LIMIT = 65_536;
/** Content that no app wants is read up to here, so that the connection can be used again (5.3.4). */
const DISCARD_LIMIT = 262_144;
const LINGER_MS = 1000;
const TOKEN = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const HOST = /^(\[[\da-fA-FvV:.%]+\]|[\w\-.~%!$&'()*+,;=]*)(:\d*)?$/;
const words = (text: string): Set<string> => new Set(text.split(" "));
/** 4.3.4 */
const SINGLE = words(
  "age authorization content-length content-location content-range content-type date etag expires from host " +
    "if-modified-since if-range if-unmodified-since last-modified location max-forwards proxy-authorization range " +
    "referer retry-after server set-cookie user-agent",
);
/** 10.3 */
const NO_TRAILER = words(
  "age authorization cache-control connection content-encoding content-length content-range content-type cookie date " +
    "expect expires forwarded host if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive " +
    "location max-forwards pragma proxy-authenticate proxy-authorization proxy-connection range retry-after " +
    "set-cookie te trailer transfer-encoding upgrade vary via warning www-authenticate x-forwarded-for " +
    "x-forwarded-host x-forwarded-port x-forwarded-prefix x-forwarded-proto",
);
/** 6.3.4 */
const OF_SERVER = words("transfer-encoding keep-alive proxy-connection connection");
/** 8.2 */
const NOT_INFORMATIONAL = words(
  "connection content-length keep-alive proxy-connection trailer transfer-encoding upgrade",
);
/** 9.1 */
const NOT_IN_101 = words("content-length keep-alive proxy-connection trailer transfer-encoding");

/** An error of the interface, which others know by its name (section 2). */
function failure(name: string, message: string, status?: number): Error {
  return Object.assign(new Error(message), { name }, status === undefined ? {} : { status });
}
const misuse = (message: string): Error => failure("GatewayError", message);
const refusal = (status: number, message: string): Error => failure("BodyError", message, status);

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`thrown: ${inspect(thrown)}`, { cause: thrown });
}

function statusOf(error: Error): number {
  const { name, status } = error as Error & { status?: unknown };
  const counts = name === "HttpError" || name === "BodyError";
  return counts && Number.isInteger(status) && Number(status) >= 400 && Number(status) <= 599
    ? Number(status)
    : 500;
}

function options(pairs: Pairs, name: string): string[] {
  return pairs
    .filter(([each]) => each.toLowerCase() === name)
    .flatMap(([, value]) =>
      value
        .toLowerCase()
        .split(",")
        .map((option) => option.trim()),
    );
}

function rawOf(pairs: Pairs): string[] {
  return pairs.flat();
}

/** 4.3.2 to 4.3.4 */
function joined(pairs: Pairs): { [name: string]: string | undefined } {
  const fields: { [name: string]: string | undefined } = Object.create(null);
  for (const [rawName, value] of pairs) {
    const name = rawName.toLowerCase();
    const former = fields[name];
    if (former === undefined) fields[name] = value;
    else if (!SINGLE.has(name)) fields[name] = `${former}${name === "cookie" ? "; " : ", "}${value}`;
  }
  return fields;
}

/** The fields of an app (6.3.1, 6.3.2). */
function pairsOf(headers: HeadersInput | null | undefined): Pairs {
  if (headers === null || headers === undefined) return [];
  if (typeof headers !== "object")
    throw misuse(`headers are an object or an iterable of pairs, not ${inspect(headers)}`);
  const given: Iterable<unknown> = Symbol.iterator in headers ? headers : Object.entries(headers);
  const pairs: Pairs = [];
  for (const pair of given) {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw misuse(`not a pair of a name and a value: ${inspect(pair)}`);
    const [name, given] = pair as [unknown, unknown];
    if (typeof name !== "string" || !TOKEN.test(name))
      throw misuse(`not the name of a field: ${inspect(name)}`);
    if (given === undefined) continue;
    for (const each of Array.isArray(given) ? given : [given]) {
      const value = typeof each === "number" ? String(each) : each;
      if (typeof value !== "string" || !VALUE.test(value))
        throw misuse(`not a value of ${name}: ${inspect(value)}`);
      pairs.push([name, value]);
    }
  }
  return pairs;
}

const lines = (pairs: Pairs): string => pairs.map(([name, value]) => `${name}: ${value}\r\n`).join("");
const without = (pairs: Pairs, names: Set<string>): Pairs =>
  pairs.filter(([name]) => !names.has(name.toLowerCase()));

/** The bytes of a connection, with a bound on what is unread. */
class Wire {
  readonly socket: Socket;
  unread: Buffer = Buffer.alloc(0);
  /** The client has closed its side. */
  ended = false;
  closed = false;
  onEnd: () => void = () => {};
  #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", this.#take);
    socket.on("error", () => {});
    socket.on("end", () => this.#over("ended"));
    socket.on("close", () => this.#over("closed"));
  }

  #take = (bytes: Uint8Array): void => {
    this.unread = this.unread.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.unread, bytes]);
    if (this.unread.length >= UNREAD_LIMIT) this.socket.pause();
    this.#wake();
  };

  #over(how: "ended" | "closed"): void {
    this[how] = true;
    if (how === "closed") this.ended = true;
    this.onEnd();
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Resolves when bytes or the end have come. */
  more(): Promise<void> {
    if (this.ended) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  wake(): void {
    this.#wake();
  }

  shift(length: number): Buffer {
    const bytes = this.unread.subarray(0, length);
    this.unread = this.unread.subarray(length);
    if (this.unread.length < UNREAD_LIMIT && this.socket.isPaused()) this.socket.resume();
    return bytes;
  }

  /** Resolves once the bytes are handed to the system; rejects if the client has gone. */
  write(bytes: string | Uint8Array): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      const gone = (): void => reject(failure("ClientGone", "the client has closed the connection"));
      if (this.closed || this.socket.destroyed) return gone();
      this.socket.once("close", gone);
      this.socket.write(bytes as string, "latin1" as BufferEncoding, (error) => {
        this.socket.off("close", gone);
        if (error) gone();
        else resolve();
      });
    });
    written.catch(() => {});
    return written;
  }

  /** Gives the connection away, with what was read too far (9.4). */
  release(): Duplex {
    const { socket, unread, ended } = this;
    socket.off("data", this.#take);
    socket.pause();
    this.onEnd = () => {};
    if (!ended) {
      if (unread.length > 0) socket.unshift(unread);
      return socket;
    }
    const rest = new PassThrough();
    rest.end(unread);
    return Duplex.from({ readable: rest, writable: socket }).on("error", () => {});
  }
}

interface Head {
  readonly method: string;
  readonly target: string;
  readonly path: string;
  readonly query: string;
  readonly httpVersion: "1.0" | "1.1";
  readonly host: string;
  readonly pairs: Pairs;
  readonly length: number | undefined;
  readonly upgrade: boolean;
  readonly keepAlive: boolean;
  readonly expects: boolean;
}

/** RFC 9112 sections 3, 5 and 6. Throws an error with the status for the refusal. */
function parseHead(text: string): Head {
  const [first = "", ...rest] = text.split("\r\n");
  const [, method = "", target = "", major, minor] = /^(\S+) (\S+) HTTP\/(\d)\.(\d)$/.exec(first) ?? [];
  if (!TOKEN.test(method) || !/^[\x21-\x7e]+$/.test(target))
    throw refusal(400, "the request line is invalid");
  if (major !== "1") throw refusal(505, "the version of HTTP is unknown");
  const httpVersion = minor === "0" ? "1.0" : "1.1";
  const pairs = rest.map(parseField);
  const values = (name: string): string[] =>
    pairs.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);

  const hosts = values("host");
  if (hosts.length > 1 || (hosts.length === 0 && httpVersion === "1.1")) throw refusal(400, "not one Host");
  const absolute = /^[A-Za-z][A-Za-z\d+.-]*:\/\/([^/?]*)([^?]*)(.*)$/.exec(target);
  const connects = method === "CONNECT";
  if (
    connects
      ? !/^[^/?@]+:\d+$/.test(target)
      : !(target.startsWith("/") || absolute !== null || (target === "*" && method === "OPTIONS"))
  )
    throw refusal(400, "the target is invalid");
  const authority = connects ? target : absolute?.[1];
  for (const each of [...hosts, authority ?? ""])
    if (!HOST.test(each)) throw refusal(400, "the host is invalid");
  if (absolute !== null && authority === "") throw refusal(400, "the target has no host");
  const mark = target.indexOf("?");
  const ofTarget = absolute === null ? (mark < 0 ? target : target.slice(0, mark)) : absolute[2] || "/";

  const codings = values("transfer-encoding").length > 0 ? options(pairs, "transfer-encoding") : undefined;
  const lengths = values("content-length");
  if (codings !== undefined) {
    if (httpVersion === "1.0" || lengths.length > 0) throw refusal(400, "the framing is ambiguous");
    if (codings.at(-1) !== "chunked" || codings.indexOf("chunked") !== codings.length - 1)
      throw refusal(400, "the last transfer coding is not chunked");
    if (codings.length > 1) throw refusal(501, "a transfer coding is unknown");
  }
  if (lengths.length > 1 || !lengths.every((each) => /^\d{1,15}$/.test(each)))
    throw refusal(400, "Content-Length is invalid");
  const length = codings === undefined ? Number(lengths[0] ?? 0) : undefined;
  const expectations = httpVersion === "1.1" ? options(pairs, "expect") : [];
  if (expectations.some((each) => each !== "100-continue")) throw refusal(417, "the expectation is unknown");
  const connection = options(pairs, "connection");
  const asks =
    connects || (httpVersion === "1.1" && values("upgrade").length > 0 && connection.includes("upgrade"));
  return {
    method,
    target,
    path: connects ? "" : ofTarget,
    query: mark < 0 || connects ? "" : target.slice(mark + 1),
    httpVersion,
    host: authority ?? hosts[0] ?? "",
    pairs,
    length,
    upgrade: asks && length === 0,
    keepAlive: !connection.includes("close") && (httpVersion === "1.1" || connection.includes("keep-alive")),
    expects: expectations.length > 0,
  };
}

function parseField(line: string): readonly [string, string] {
  const colon = line.indexOf(":");
  const name = line.slice(0, colon);
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
  if (colon < 1 || !TOKEN.test(name) || !VALUE.test(value)) throw refusal(400, "a header field is invalid");
  return [name, value];
}

/** The content of a request (section 5). */
class Content implements RequestBody {
  readonly length: number | undefined;
  used = false;
  trailers: Pairs = [];
  error: Error | undefined;
  done: boolean;
  /** Resolves when nobody reads any more. */
  readonly settled: Promise<void>;
  #settle!: () => void;
  readonly #wire: Wire;
  readonly #limit: number;
  readonly #demand: () => void;
  /** Bytes left of the content, or of a chunk. */
  #left: number;
  #taken = 0;
  #asked = false;
  #inChunk = false;
  #reading: Promise<unknown> = Promise.resolve();
  /** The reader has stopped early: what it still waits for has ended. */
  #stopped = false;
  /** The answer is complete, and nobody has begun to read. */
  #gone = false;

  /** `demand` asks the client for the content (5.3.1). */
  constructor(wire: Wire, length: number | undefined, limit: number, demand: () => void) {
    this.#wire = wire;
    this.length = length;
    this.#left = length ?? 0;
    this.#limit = limit;
    this.#demand = demand;
    this.done = length === 0;
    this.settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** The next piece; undefined at the end. */
  async next(limit = this.#limit): Promise<Uint8Array | undefined> {
    if (this.#gone) throw refusal(400, "the answer is complete: the content is gone (5.3.5)");
    if (this.error !== undefined) throw this.error;
    if (this.done || this.#stopped) return undefined;
    const piece = this.#read(limit);
    this.#reading = piece.catch(() => {});
    return await piece;
  }

  async #read(limit: number): Promise<Uint8Array | undefined> {
    try {
      if (this.length !== undefined && this.length > limit)
        throw refusal(413, `the content is longer than ${limit} bytes`);
      if (!this.#asked) this.#demand();
      this.#asked = true;
      const piece = this.length === undefined ? await this.#chunk() : await this.#some();
      this.#taken += piece?.length ?? 0;
      if (this.#taken > limit) throw refusal(413, `the content is longer than ${limit} bytes`);
      this.done = piece === undefined;
      if (this.done) this.#settle();
      return piece;
    } catch (error) {
      this.error = error as Error;
      this.#settle();
      throw error;
    }
  }

  async #some(): Promise<Uint8Array | undefined> {
    if (this.#left === 0) return undefined;
    while (this.#wire.unread.length === 0) {
      if (this.error !== undefined) throw this.error;
      if (this.#wire.ended) throw refusal(400, "the content has ended early");
      await this.#wire.more();
    }
    const piece = new Uint8Array(this.#wire.shift(Math.min(this.#left, this.#wire.unread.length)));
    this.#left -= piece.length;
    return piece;
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#wire.unread.indexOf("\r\n");
      if (end > 8192 || (end < 0 && this.#wire.unread.length > 8192))
        throw refusal(400, "a line of the content is too long");
      if (end >= 0) return this.#wire.shift(end + 2).toString("latin1", 0, end);
      if (this.#wire.ended) throw refusal(400, "the content has ended early");
      await this.#wire.more();
    }
  }

  async #chunk(): Promise<Uint8Array | undefined> {
    if (this.#left === 0) {
      if (this.#inChunk && (await this.#line()) !== "") throw refusal(400, "a chunk is longer than its size");
      const size = /^([\da-fA-F]{1,12})[\t ]*(;[\t\x20-\x7e\x80-\xff]*)?$/.exec(await this.#line())?.[1];
      if (size === undefined) throw refusal(400, "the size of a chunk is invalid");
      this.#inChunk = true;
      this.#left = Number.parseInt(size, 16);
      if (this.#left === 0) {
        const trailers: Pairs = [];
        let total = 0;
        for (let line = await this.#line(); line !== ""; line = await this.#line()) {
          total += line.length;
          if (total > HEAD_LIMIT) throw refusal(431, "the trailers are too long");
          trailers.push(parseField(line));
        }
        this.trailers = without(trailers, NO_TRAILER);
        return undefined;
      }
    }
    return await this.#some();
  }

  /** After the answer: content that nobody has begun to read is gone (5.3.5). */
  leave(): void {
    this.#gone = !this.used && !this.done;
  }

  /** Reads what is left; false if that is too much, or broken (5.3.4). */
  async discard(): Promise<boolean> {
    this.#asked = true;
    const start = this.#taken;
    // A reader that has stopped may have left a read behind.
    await this.#reading;
    try {
      while (!this.done && (await this.#read(Number.POSITIVE_INFINITY)) !== undefined)
        if (this.#taken - start > DISCARD_LIMIT) return false;
      return true;
    } catch {
      return false;
    }
  }

  #claim(): void {
    if (this.used) throw misuse("the body is read already: it can be read once, in one way (5.2.1)");
    this.used = true;
    if (this.done) this.#settle();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    this.#claim();
    // One read at a time: the next one begins where the one before has ended.
    let last: Promise<unknown> = Promise.resolve();
    let stop = (): void => {};
    const stopped = new Promise<undefined>((resolve) => {
      stop = () => resolve(undefined);
    });
    const end = { done: true, value: undefined } as const;
    return {
      next: () => {
        const piece = last.then(() => Promise.race([this.next(), stopped]));
        last = piece.catch(() => {});
        return piece.then((value) => (value === undefined ? end : { done: false, value }));
      },
      return: async () => {
        this.#stopped = true;
        stop();
        this.#settle();
        return end;
      },
    };
  }

  async bytes({ limit = Number.POSITIVE_INFINITY }: BodyOptions = {}): Promise<Uint8Array> {
    if (typeof limit !== "number" || !(limit >= 0))
      throw misuse(`limit is a number from 0 on, not ${inspect(limit)}`);
    this.#claim();
    const pieces: Uint8Array[] = [];
    const bound = Math.min(limit, this.#limit);
    for (let piece = await this.next(bound); piece !== undefined; piece = await this.next(bound))
      pieces.push(piece);
    const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let offset = 0;
    for (const piece of pieces) {
      whole.set(piece, offset);
      offset += piece.length;
    }
    return whole;
  }

  async text(given?: BodyOptions): Promise<string> {
    return new TextDecoder().decode(await this.bytes(given));
  }

  async json<T>(given?: BodyOptions): Promise<T> {
    const text = await this.text(given);
    try {
      return JSON.parse(text) as T;
    } catch {
      throw refusal(400, "the content is no JSON");
    }
  }

  stream(): Readable {
    return Readable.from(this, { objectMode: false }).on("error", () => {});
  }

  web(): ReturnType<RequestBody["web"]> {
    const pieces = this[Symbol.asyncIterator]();
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { value, done } = await pieces.next();
          if (done === true) controller.close();
          else controller.enqueue(value);
        },
        cancel: async () => void (await pieces.return?.()),
      },
      { highWaterMark: 0 },
    ) as ReturnType<RequestBody["web"]>;
  }
}

/** What is sent in turn: an iterator, and how to let go of it. */
interface Source {
  readonly next: () => Promise<IteratorResult<unknown>>;
  readonly release: () => void;
  /** Undefined where nobody knows it before the end. */
  readonly length?: number | undefined;
}

/** The kinds of 6.4.1 that are not at hand at once. */
function sourceOf(body: Exclude<ResponseBody, Body>): Source | FileBody {
  if (body instanceof Blob)
    return { ...sourceOf(body.stream() as ReadableStream), length: body.size } as Source;
  const given = body as Partial<AsyncIterable<unknown> & Iterable<unknown> & FileBody> | undefined;
  if (typeof given !== "object" || given === null) throw misuse(`not a body: ${inspect(body)}`);
  if (given[Symbol.asyncIterator] !== undefined || given[Symbol.iterator] !== undefined) {
    let iterator: AsyncIterator<unknown> | Iterator<unknown> | undefined;
    const begin = (): AsyncIterator<unknown> | Iterator<unknown> =>
      (iterator ??= given[Symbol.asyncIterator]?.() ?? (given as Iterable<unknown>)[Symbol.iterator]());
    const release = async (): Promise<void> => {
      if (body instanceof Readable) body.on("error", () => {}).destroy();
      else if (body instanceof ReadableStream && iterator === undefined) await body.cancel();
      else await begin().return?.();
    };
    return { next: async () => begin().next(), release: () => void release().catch(() => {}) };
  }
  const { file, offset = 0, length = 0 } = given;
  const named = typeof file === "string" || file instanceof URL || typeof file?.fd === "number";
  if (!named) throw misuse(`not a body: ${inspect(body)}; give a string, bytes, a stream, or { file }`);
  if (![offset, length].every((each) => Number.isSafeInteger(each) && each >= 0))
    throw misuse("offset and length of a file are whole numbers from 0 on");
  return given as FileBody;
}

/** 6.4.5 */
async function openFile({ file, offset = 0, length }: FileBody): Promise<Source> {
  const named = typeof file === "string" || file instanceof URL;
  const handle: FileHandle = named ? await open(file) : file;
  const release = (): void => void (named && handle.close().catch(() => {}));
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new Error(`${String(file)} is no file`);
    const end = length === undefined ? stat.size : offset + length;
    if (end > stat.size || offset > end) throw new Error(`the file has ${stat.size} bytes, not ${end}`);
    let position = offset;
    const next = async (): Promise<IteratorResult<unknown>> => {
      if (position === end) return { done: true, value: undefined };
      const buffer = new Uint8Array(Math.min(65_536, end - position));
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) throw new Error("the file has become shorter");
      position += bytesRead;
      return { done: false, value: buffer.subarray(0, bytesRead) };
    };
    return { next, release, length: end - offset };
  } catch (error) {
    release();
    throw error;
  }
}

function bytesOf(piece: unknown): Uint8Array {
  if (typeof piece === "string") return Buffer.from(piece);
  if (piece instanceof Uint8Array) return piece;
  throw misuse(`a piece is a string or a Uint8Array, not ${inspect(piece, { depth: 0 })}`);
}

/** One request and its answers. */
class Exchange {
  readonly request: GatewayRequest;
  readonly respond: Respond;
  readonly content: Content;
  /** Resolves when the answer is complete or given up, with what becomes of the connection. */
  readonly over: Promise<"keep" | "close" | "upgraded">;
  #leave!: (fate: "keep" | "close" | "upgraded") => void;
  readonly #server: Server;
  readonly #wire: Wire;
  readonly #head: Head;
  /** 2.1; "ending" is complete but for the system. */
  #state: "unanswered" | "begun" | "sent" | "ending" | "complete" | "gone" = "unanswered";
  /** The app has called, or the server has answered in its place: the next call is one too many. */
  #called = false;
  readonly #abort = new AbortController();
  readonly #finished: Promise<Finished>;
  #resolve!: (finished: Finished) => void;
  #reject!: (error: Error) => void;
  #timer: NodeJS.Timeout | undefined;
  readonly #reported = new Set<unknown>();
  #failure: Error | undefined;
  #status = 0;
  #fields: Pairs = [];
  #declared: number | undefined;
  #framing: "length" | "chunks" | "end" = "length";
  #given = 0;
  #bytes = 0;
  #close = false;
  #continued = false;
  #release: (() => void) | undefined;

  constructor(server: Server, wire: Wire, head: Head) {
    this.#server = server;
    this.#wire = wire;
    this.#head = head;
    this.over = new Promise((resolve) => {
      this.#leave = resolve;
    });
    this.#finished = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#finished.catch(() => {});
    this.content = new Content(
      wire,
      head.length,
      server.options.bodyLimit ?? Number.POSITIVE_INFINITY,
      () => {
        if (!head.expects || this.#continued || !this.#open) return;
        this.#continued = true;
        wire.write("HTTP/1.1 100 Continue\r\n\r\n");
      },
    );
    this.request = this.#present();
    this.respond = this.#respond();
    this.#bound(server.options.requestTimeout);
    wire.onEnd = () => this.#clientEnded();
    if (wire.ended) this.#clientEnded();
  }

  get #open(): boolean {
    return this.#state === "unanswered" || this.#state === "begun";
  }

  #present(): GatewayRequest {
    const { method, target, query, httpVersion, host, pairs, upgrade } = this.#head;
    const { worker, state, rootPath } = this.#server;
    const { socket } = this.#wire;
    const within = rootPath !== "" && `${this.#head.path}/`.startsWith(`${rootPath}/`);
    const path = within ? this.#head.path.slice(rootPath.length) || "/" : this.#head.path;
    const peer = endpoint(socket.remoteAddress, socket.remotePort);
    const { content } = this;
    const trailers = { fields: joined([]), raw: [] as string[], read: false };
    const ends = (): typeof trailers => {
      if (content.done && !trailers.read)
        Object.assign(trailers, {
          read: true,
          fields: joined(content.trailers),
          raw: rawOf(content.trailers),
        });
      return trailers;
    };
    let headers: ReturnType<typeof joined> | undefined;
    return {
      method,
      target,
      path,
      query,
      rootPath,
      httpVersion,
      scheme: "http",
      host,
      get headers() {
        headers ??= joined(pairs);
        return headers;
      },
      rawHeaders: rawOf(pairs),
      remote: peer,
      peer,
      local: endpoint(socket.localAddress, socket.localPort),
      tls: undefined,
      proxy: undefined,
      id: this.#server.nextId(),
      body: content,
      get trailers() {
        return ends().fields;
      },
      get rawTrailers() {
        return ends().raw;
      },
      signal: this.#abort.signal,
      extend: (milliseconds) => {
        if (typeof milliseconds !== "number" || !(milliseconds > 0))
          throw misuse(`extend takes milliseconds above zero, not ${inspect(milliseconds)}`);
        if (this.#timer !== undefined && this.#open) this.#bound(milliseconds);
      },
      waitUntil: (work) => {
        if (typeof (work as { then?: unknown } | undefined)?.then !== "function")
          throw misuse(`waitUntil takes a promise, not ${inspect(work)}`);
        this.#server.watch(Promise.resolve(work).then(undefined, (error) => void this.#report(error)));
      },
      upgrade,
      get draining() {
        return worker.drain.aborted;
      },
      worker,
      state,
    };
  }

  #respond(): Respond {
    const respond = (...given: [number, (HeadersInput | null)?, ResponseBody?]): ResponseWriter | undefined =>
      this.#answer(given);
    return Object.defineProperties(respond, {
      sent: { get: () => this.#state !== "unanswered" },
      finished: { value: () => this.#finished },
      informational: { value: (status: number, headers?: HeadersInput) => this.#inform(status, headers) },
      upgrade: { value: (headers?: HeadersInput | null) => this.#upgrade(headers) },
    }) as unknown as Respond;
  }

  /** Calls the handler (3.1, 11). */
  run(handler: Handler<never>, app: unknown): void {
    let result: unknown;
    try {
      result = handler.call(app as undefined, this.request as GatewayRequest<never>, this.respond);
      if (typeof (result as { then?: unknown } | undefined)?.then !== "function") return;
    } catch (error) {
      this.fail(error);
      return;
    }
    const settled = Promise.resolve(result).then(
      () => {
        if (this.#state === "unanswered")
          this.fail(misuse("the handler is over and has not answered (3.1.3)"));
      },
      (error) => this.fail(error),
    );
    this.#server.watch(settled);
  }

  #report(thrown: unknown): Error {
    const error = asError(thrown);
    // Node wraps the reason of a signal in an AbortError (11.4).
    const reason = this.#abort.signal.aborted && error.cause === this.#abort.signal.reason;
    if (!this.#reported.has(thrown) && error.name !== "ClientGone" && !reason) {
      this.#reported.add(thrown);
      this.#reported.add(error);
      this.#server.report(error, this.request.id);
    }
    return error;
  }

  /** An error of the app (11.1 to 11.5). */
  fail(thrown: unknown): void {
    const error = this.#report(thrown);
    this.#failure ??= error;
    if (this.#open) this.#stand(statusOf(error), error, "complete");
    else if (this.#state === "sent") this.#cut(error);
  }

  /** Answers in the place of the app. */
  #stand(status: number, error: Error, state: "complete" | "gone"): void {
    const begun = this.#state === "begun";
    this.#called ||= state === "complete";
    this.#release?.();
    const { fields, body } = this.#server.dress(status, error, this.request);
    this.#status = status;
    this.#fields = fields;
    this.#close ||= state === "gone";
    if (state === "gone" || begun) this.#reject(error);
    this.#state = "sent";
    this.#declared = undefined;
    this.#whole(body);
    if (state === "gone") this.#state = "gone";
  }

  #cut(error: Error): void {
    this.#gone(error);
    const { socket } = this.#wire;
    // Content that the end of the connection ends looks complete, unless the connection is reset.
    if (this.#framing === "end") socket.resetAndDestroy();
    else socket.destroy();
  }

  #gone(error: Error): void {
    this.#state = "gone";
    clearTimeout(this.#timer);
    this.#reject(error);
    this.#release?.();
    this.#leave("close");
  }

  #clientEnded(): void {
    if (this.#state === "complete" || this.#state === "gone") return;
    if (!this.#abort.signal.aborted)
      this.#abort.abort(failure("ClientGone", "the client has closed the connection"));
    if (this.#wire.closed) this.#gone(this.#abort.signal.reason);
  }

  /** The worker is forced out (12.5). */
  force(): void {
    if (this.#state === "complete" || this.#state === "gone") return;
    this.#abort.abort(failure("RequestAborted", "the server shuts down"));
    this.#gone(this.#abort.signal.reason);
  }

  #bound(milliseconds: number | undefined): void {
    clearTimeout(this.#timer);
    if (milliseconds === undefined) return;
    const expire = (): void => {
      const error = failure("RequestAborted", "the time for the request is over");
      this.#abort.abort(error);
      this.#report(error);
      this.#failure ??= error;
      this.#stand(503, error, "gone");
    };
    // Node's timers take no more than 31 bits.
    const idle = milliseconds > 0x7fffffff;
    this.#timer = setTimeout(idle ? () => {} : expire, idle ? 0x7fffffff : milliseconds);
  }

  #answer(given: [number, (HeadersInput | null)?, ResponseBody?]): ResponseWriter | undefined {
    if (this.#called) throw misuse("the request is answered already (6.6.1)");
    const [status, headers, body] = given;
    if (this.#state === "gone") {
      this.#called = true;
      if (body !== undefined && body !== null && typeof body === "object" && !(body instanceof Uint8Array))
        (sourceOf(body) as Partial<Source>).release?.();
      return given.length > 2 ? undefined : this.#writer();
    }
    if (given.length > 2 && body === undefined)
      throw misuse("the body is undefined: give null for none (6.1.2)");
    if (!Number.isInteger(status) || status < 200 || status > 599)
      throw misuse(`the status is an integer from 200 to 599, not ${inspect(status)}`);
    const fields = pairsOf(headers);
    const lengths = fields
      .filter(([name]) => name.toLowerCase() === "content-length")
      .map(([, value]) => value);
    if (lengths.length > 1 || !lengths.every((each) => /^\d{1,15}$/.test(each)))
      throw misuse(`Content-Length is one number of bytes, not ${lengths.join(", ")}`);
    const declared = lengths[0] === undefined ? undefined : Number(lengths[0]);
    const bare = this.#isBare(status);
    const checked = (length: number, none: boolean): void => {
      if (declared === undefined || declared === length || status === 204 || status === 205 || (none && bare))
        return;
      throw misuse(`Content-Length is ${declared}, but the content has ${length} bytes (6.5.2)`);
    };
    const whole = body === null || typeof body === "string" || body instanceof Uint8Array;
    const bytes = whole ? (body === null ? null : bytesOf(body)) : undefined;
    const source = whole || body === undefined ? undefined : sourceOf(body);
    if (whole) checked(bytes?.length ?? 0, body === null);
    else if (source !== undefined) {
      const length = "file" in source ? source.length : (source as Source).length;
      if (length !== undefined) checked(length, false);
    }
    // Nothing below throws because of what was given.
    this.#called = true;
    this.#status = status;
    this.#declared = declared;
    this.#close ||= options(fields, "connection").includes("close");
    this.#fields = without(fields, OF_SERVER);
    this.#state = "begun";
    if (bytes !== undefined) this.#whole(bytes);
    else if (source !== undefined) {
      const sent =
        "file" in source
          ? openFile(source).then((opened) => this.#stream(opened))
          : this.#stream(source as Source);
      this.#server.watch(sent.catch((error) => this.fail(error)));
    } else {
      if (status === 204 || status === 205 || status === 304) this.#whole(null);
      return this.#writer();
    }
    return undefined;
  }

  /** Whether the answer carries no content, whatever the app gives (6.7). */
  #isBare(status = this.#status): boolean {
    return this.#head.method === "HEAD" || status === 204 || status === 205 || status === 304;
  }

  /** Composes the head; `length` is undefined where nobody knows it. */
  #compose(length: number | undefined, connection?: string): string {
    const { httpVersion } = this.#head;
    const status = this.#status;
    const fields = this.#fields.filter(([name]) => name.toLowerCase() !== "content-length");
    const at = this.#fields.findIndex(([name]) => name.toLowerCase() === "content-length");
    const sent = status === 204 ? undefined : status === 205 ? 0 : length;
    if (sent !== undefined) fields.splice(at < 0 ? fields.length : at, 0, ["Content-Length", String(sent)]);
    this.#framing = "length";
    if (length === undefined && status !== 204 && status !== 205 && status !== 304) {
      this.#framing = httpVersion === "1.1" ? "chunks" : "end";
      if (this.#framing === "chunks") fields.push(["Transfer-Encoding", "chunked"]);
    }
    const names = new Set(fields.map(([name]) => name.toLowerCase()));
    if (!names.has("date")) fields.push(["Date", new Date().toUTCString()]);
    const { content } = this;
    const waits = this.#head.expects && !this.#continued && !content.done;
    const tooLong = !content.used && (content.length ?? 0) > DISCARD_LIMIT;
    this.#close ||=
      !this.#head.keepAlive ||
      this.request.draining ||
      this.#head.upgrade ||
      (this.#framing === "end" && this.#head.method !== "HEAD") ||
      waits ||
      tooLong ||
      (content.error !== undefined && !content.done);
    const said = [
      ...(names.has("upgrade") ? ["upgrade"] : []),
      ...(this.#close ? ["close"] : httpVersion === "1.0" ? ["keep-alive"] : []),
      ...(connection === undefined ? [] : [connection]),
    ];
    if (said.length > 0) fields.push(["Connection", said.join(", ")]);
    return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines(fields)}\r\n`;
  }

  /** Sends all of an answer in one write. */
  #whole(bytes: Body): void {
    const content = bytes === null ? undefined : bytesOf(bytes);
    const none = this.#isBare() ? this.#declared : undefined;
    const length = content?.length ?? none ?? (this.#status === 304 ? undefined : 0);
    const head = this.#compose(length);
    const sent = this.#isBare() ? undefined : content;
    this.#bytes = sent?.length ?? 0;
    this.#end(this.#wire.write(Buffer.concat([Buffer.from(head, "latin1"), sent ?? new Uint8Array()])));
  }

  /** The last bytes are on their way. */
  #end(written: Promise<void>): void {
    if (this.#state !== "gone") this.#state = "ending";
    clearTimeout(this.#timer);
    written.then(
      () => {
        if (this.#state === "ending") this.#state = "complete";
        this.#resolve({ status: this.#status, bytes: this.#bytes });
        this.content.leave();
        this.#wire.wake();
        this.#leave(this.#close || this.request.draining ? "close" : "keep");
      },
      () =>
        this.#gone(
          this.#abort.signal.aborted
            ? this.#abort.signal.reason
            : failure("ClientGone", "the client has gone"),
        ),
    );
  }

  /** Sends the head of content that comes in pieces. */
  #begin(length = this.#declared): Promise<void> {
    const head = this.#compose(length);
    this.#state = "sent";
    clearTimeout(this.#timer);
    return this.#wire.write(head);
  }

  /** Sends a piece; throws if it is none or too much, with nothing sent (7.2). */
  #put(piece: unknown): Promise<void> {
    const bytes = bytesOf(piece);
    if (
      this.#declared !== undefined &&
      this.#given + bytes.length > this.#declared &&
      this.#status !== 204 &&
      this.#status !== 205
    )
      throw misuse(`the content is longer than its Content-Length, ${this.#declared} bytes`);
    this.#given += bytes.length;
    const begun = this.#state === "begun" ? this.#begin() : undefined;
    if (bytes.length === 0 || this.#isBare()) return begun ?? Promise.resolve();
    this.#bytes += bytes.length;
    if (this.#framing !== "chunks") return this.#wire.write(bytes);
    const size = Buffer.from(`${bytes.length.toString(16)}\r\n`);
    return this.#wire.write(Buffer.concat([size, bytes, Buffer.from("\r\n")]));
  }

  /** Ends content that came in pieces. */
  #finish(trailers: Pairs = []): void {
    const none = this.#isBare() && this.#given === 0;
    if (this.#declared !== undefined && this.#given < this.#declared && !none)
      throw misuse(`the content has ${this.#given} bytes, and Content-Length is ${this.#declared}`);
    const chunked = this.#framing === "chunks" && !this.#isBare();
    this.#end(this.#wire.write(chunked ? `0\r\n${lines(trailers)}\r\n` : ""));
  }

  async #stream(source: Source): Promise<void> {
    if (this.#state !== "begun") return source.release();
    if (this.#isBare()) {
      source.release();
      const length = this.#declared ?? source.length;
      this.#begin(length);
      return this.#end(this.#wire.write(""));
    }
    if (source.length !== undefined) {
      if (this.#declared !== undefined && this.#declared !== source.length) {
        source.release();
        throw misuse(`Content-Length is ${this.#declared}, but the content has ${source.length} bytes`);
      }
      this.#declared = source.length;
    }
    let released = false;
    const release = (): void => {
      if (!released) source.release();
      released = true;
    };
    this.#release = release;
    try {
      for (;;) {
        const next = source.next();
        if (this.#state === "begun") {
          // A slow source does not delay the head; one that fails at once still gives 500 (6.4.3).
          const turn = new Promise<"turn">((resolve) => setImmediate(resolve, "turn"));
          if ((await Promise.race([next, turn])) === "turn" && this.#state === "begun") this.#begin();
        }
        const { done, value } = await next;
        if (this.#state !== "begun" && this.#state !== "sent") return release();
        if (done === true) break;
        await this.#put(value);
      }
      this.#release = undefined;
      // A file is closed at its end, too.
      if (source.length !== undefined) release();
      if (this.#state === "begun") this.#begin(this.#declared ?? 0);
      this.#finish();
    } catch (error) {
      release();
      throw error;
    }
  }

  #writer(): ResponseWriter {
    let ended = this.#state !== "begun" && this.#state !== "gone";
    const bare = ended;
    let over = false;
    const refused = (): Error | undefined => {
      if (over) return misuse("the answer has been ended (7.4)");
      if (ended && !bare) return misuse("the answer has been ended (7.4)");
      if (bare) return undefined;
      if (this.#failure !== undefined) return this.#failure;
      if (this.#state === "gone") return this.#abort.signal.reason;
      return undefined;
    };
    const attempt = (act: () => Promise<unknown>): Promise<void> => {
      const error = refused();
      let result: Promise<unknown>;
      try {
        result = error === undefined ? act() : Promise.reject(error);
      } catch (thrown) {
        this.fail(thrown);
        result = Promise.reject(thrown);
      }
      result.catch(() => {});
      return result.then(() => undefined);
    };
    const quiet = (promise: Promise<void>): Promise<void> => {
      promise.catch(() => {});
      return promise;
    };
    return {
      write: (chunk) =>
        quiet(
          attempt(() => {
            if (!bare) return this.#put(chunk);
            bytesOf(chunk);
            return Promise.resolve();
          }),
        ),
      flush: () => quiet(ended || this.#state !== "begun" ? Promise.resolve() : this.#begin()),
      destroy: (error) => {
        if (!ended && !bare) this.fail(error ?? new Error("the app has given the answer up"));
      },
      end: (chunk, trailers) => {
        let pairs: Pairs = [];
        try {
          pairs = pairsOf(trailers);
          const wrong = pairs.find(([name]) => NO_TRAILER.has(name.toLowerCase()))?.[0];
          if (wrong !== undefined) throw misuse(`${wrong} must not be a trailer (10.3)`);
        } catch (error) {
          // The app may end it otherwise, but at once.
          setImmediate(() => {
            if (!ended) this.fail(error);
          });
          return quiet(Promise.reject(error));
        }
        return quiet(
          attempt(() => {
            ended = true;
            over = true;
            if (bare) return this.#finished;
            const piece = chunk === undefined || chunk === null ? undefined : bytesOf(chunk);
            const chunked =
              pairs.length > 0 && this.#head.httpVersion === "1.1" && this.#declared === undefined;
            if (this.#state === "begun" && this.#declared === undefined && !chunked) {
              this.#whole(piece ?? null);
              return this.#finished;
            }
            if (piece !== undefined) this.#put(piece);
            if (this.#state === "begun") {
              // Checked before the head, so that the client gets 500 and no cut.
              if (this.#declared !== undefined && this.#declared > 0 && !this.#isBare())
                throw misuse(`the content has no bytes, and Content-Length is ${this.#declared}`);
              this.#begin();
            }
            this.#finish(pairs);
            return this.#finished;
          }),
        );
      },
    };
  }

  #inform(status: number, headers?: HeadersInput): void {
    if (this.#state === "gone") return;
    if (!this.#open) throw misuse("the head of the answer is sent (8.1)");
    if (!Number.isInteger(status) || status < 102 || status > 199)
      throw misuse(`an informational status is an integer from 102 to 199, not ${inspect(status)}`);
    const fields = without(pairsOf(headers), NOT_INFORMATIONAL);
    if (this.#head.httpVersion === "1.0") return;
    this.#wire.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines(fields)}\r\n`);
  }

  #upgrade(headers?: HeadersInput | null): Duplex {
    if (this.#called) throw misuse("the request is answered already (6.6.1)");
    if (!this.#head.upgrade) throw misuse("the request asks for no other protocol (9.3)");
    if (this.#state === "gone") throw this.#abort.signal.reason;
    const fields = without(pairsOf(headers), NOT_IN_101);
    this.#called = true;
    this.#state = "complete";
    clearTimeout(this.#timer);
    if (headers !== undefined && headers !== null) {
      const named = options(fields, "connection").includes("upgrade");
      const sent: Pairs = named ? fields : [["Connection", "Upgrade"], ...without(fields, OF_SERVER)];
      this.#wire.write(`HTTP/1.1 101 Switching Protocols\r\n${lines(sent)}\r\n`);
    }
    this.#resolve({ status: 101, bytes: 0 });
    this.#leave("upgraded");
    return this.#wire.release();
  }
}

function endpoint(address = "", port = 0): Endpoint {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  return { family: plain.includes(":") ? "ipv6" : "ipv4", address: plain, port };
}

/** The app, its state, and what is at work. */
class Server {
  readonly app: App<never>;
  readonly options: ServeOptions;
  readonly worker: WorkerInfo;
  readonly rootPath: string;
  readonly exchanges = new Set<Exchange>();
  readonly sockets = new Set<Socket>();
  readonly idle = new Set<Wire>();
  readonly #work = new Set<Promise<void>>();
  readonly #prefix = `${process.pid.toString(36)}${Date.now().toString(36)}-`;
  #count = 0;
  state: unknown;

  constructor(app: App<never>, options: ServeOptions, drain: AbortSignal) {
    this.app = app;
    this.options = options;
    this.rootPath = (options.rootPath ?? "").replace(/\/+$/, "");
    const { pid } = process;
    this.worker = { pid, slot: 1, generation: 1, gateway: "1.0", server: "gateway-server/1.0", drain };
  }

  nextId(): string {
    this.#count += 1;
    return this.#prefix + this.#count.toString(36);
  }

  report(error: Error, id: string): void {
    if (this.options.onError !== undefined) this.options.onError(error, { id });
    else console.error(`request ${id}:`, error);
  }

  /** Keeps `shutdown` waiting. */
  watch(work: Promise<void>): void {
    this.#work.add(work);
    work.finally(() => this.#work.delete(work));
  }

  /** Resolves when no work is left, new work included. */
  async settled(): Promise<void> {
    while (this.#work.size + this.exchanges.size > 0)
      await Promise.all([...this.#work, ...[...this.exchanges].map(({ over }) => over)]).then(
        () => new Promise(setImmediate),
      );
  }

  /** The answers that the server makes (11.7). */
  dress(status: number, error: Error, request: GatewayRequest | undefined): { fields: Pairs; body: Body } {
    const plain = { fields: [], body: `${STATUS_CODES[status] ?? status}\n` };
    if (this.app.onServerAnswer === undefined) return plain;
    try {
      const dress: unknown = this.app.onServerAnswer({ status, error, request });
      if (dress === undefined) return plain;
      if (typeof dress !== "object" || dress === null || "then" in dress)
        throw misuse("onServerAnswer gives no { headers, body }");
      const { headers, body = null } = dress as { headers?: HeadersInput; body?: unknown };
      if (body !== null && typeof body !== "string" && !(body instanceof Uint8Array))
        throw misuse("the body of a dressed answer is a string, bytes or null");
      const fields = without(pairsOf(headers), new Set([...OF_SERVER, "content-length"]));
      return { fields, body };
    } catch (thrown) {
      this.report(asError(thrown), request?.id ?? "-");
      return plain;
    }
  }

  /** One connection, from its first byte to its last. */
  async connection(wire: Wire): Promise<void> {
    for (;;) {
      let head: Head | undefined;
      try {
        head = await this.#readHead(wire);
      } catch (error) {
        this.#refuse(wire, error as Error);
        return await linger(wire);
      }
      if (head === undefined) return await linger(wire);
      const exchange = new Exchange(this, wire, head);
      this.exchanges.add(exchange);
      const { app } = this;
      exchange.run(exchange.request.upgrade && app.upgrade !== undefined ? app.upgrade : app.handle, app);
      const fate = await exchange.over;
      this.exchanges.delete(exchange);
      if (fate === "upgraded") return;
      const { content } = exchange;
      if (content.used && !content.done) await content.settled;
      if (fate === "close" || wire.closed || content.error !== undefined || !(await content.discard()))
        return await linger(wire);
    }
  }

  /** Undefined when the client has no more requests, or the worker drains. */
  async #readHead(wire: Wire): Promise<Head | undefined> {
    for (;;) {
      while (wire.unread.length >= 2 && wire.unread[0] === 13 && wire.unread[1] === 10) wire.shift(2);
      const text = wire.unread.toString("latin1", 0, HEAD_LIMIT);
      const end = text.indexOf("\r\n\r\n");
      const bare = text.search(/(?<!\r)\n/);
      if (bare >= 0 && (end < 0 || bare < end)) throw refusal(400, "a line ends without CR");
      if (end >= 0) return parseHead(wire.shift(end + 4).toString("latin1", 0, end));
      if (wire.unread.length >= HEAD_LIMIT)
        throw refusal(text.includes("\r\n") ? 431 : 414, "the head of the request is too long");
      if (wire.ended || (wire.unread.length === 0 && this.worker.drain.aborted)) return undefined;
      this.idle.add(wire);
      await wire.more();
      this.idle.delete(wire);
    }
  }

  #refuse(wire: Wire, error: Error): void {
    const status = statusOf(error);
    const { fields, body } = this.dress(status, error, undefined);
    const bytes = body === null ? new Uint8Array() : bytesOf(body);
    const dated = fields.some(([name]) => name.toLowerCase() === "date")
      ? fields
      : [...fields, ["Date", new Date().toUTCString()] as const];
    const framed = [
      ...dated,
      ["Content-Length", String(bytes.length)] as const,
      ["Connection", "close"] as const,
    ];
    wire.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines(framed)}\r\n`);
    wire.write(bytes);
  }
}

/** Closes so that the client can read the answer first: unread bytes would make the system reset the connection. */
async function linger(wire: Wire): Promise<void> {
  wire.socket.end();
  const late = setTimeout(() => wire.socket.destroy(), LINGER_MS);
  while (!wire.ended) {
    wire.shift(wire.unread.length);
    await wire.more();
  }
  clearTimeout(late);
  wire.shift(wire.unread.length);
  if (!wire.socket.writableFinished)
    await new Promise((resolve) => wire.socket.once("close", resolve).once("finish", resolve));
  wire.socket.destroy();
}

/** Starts an app; resolves once it listens, and rejects if `startup` fails or the port is taken. */
export async function serve<State>(
  app: App<State> | Handler<State>,
  given: ServeOptions = {},
): Promise<RunningServer> {
  const drain = new AbortController();
  const whole = (typeof app === "function" ? { handle: app } : app) as unknown as App<never>;
  const server = new Server(whole, given, drain.signal);
  server.state = await whole.startup?.(server.worker);
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    server.sockets.add(socket);
    socket.once("close", () => server.sockets.delete(socket));
    void server.connection(new Wire(socket));
  });
  await new Promise<void>((resolve, reject) => {
    listener.once("error", reject).listen(given.port ?? 0, given.host ?? "127.0.0.1", resolve);
  });
  const { port } = listener.address() as { port: number };
  const bound = given.gracefulTimeout ?? 3000;
  const within = async (work: Promise<unknown>): Promise<void> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, bound);
    });
    await Promise.race([work, late]).finally(() => clearTimeout(timer));
  };
  const begin = (): void => {
    if (drain.signal.aborted) return;
    drain.abort();
    listener.close();
    for (const wire of server.idle) wire.wake();
  };
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    begin();
    await within(server.settled());
    for (const exchange of server.exchanges) exchange.force();
    try {
      await within((async () => await whole.shutdown?.(server.state as never))());
    } finally {
      for (const socket of server.sockets) socket.destroy();
    }
  };
  return {
    port,
    drain: begin,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

// By hand: serves the app that a file exports as `app`, `handler` or by default.
if (process.argv[1] !== undefined && import.meta.filename === process.argv[1]) {
  const file = process.argv[2] ?? "app.ts";
  const loaded = await import(pathToFileURL(file).href);
  const server = await serve(loaded.app ?? loaded.handler ?? loaded.default, {
    port: Number(process.env.PORT ?? 8000),
  });
  console.log(`listening on http://127.0.0.1:${server.port}`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void server.close());
}
