/**
 * Node's request of its compatibility API, as node listeners know requests from HTTP/1.1: with a Host, the connection's
 * socket, and content that fails if it breaks off. Node's own ends then, as if it were complete.
 */
import { Http2ServerRequest, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { distinctFields } from "../../gateway/fields.ts";
import { breakOff, socketOf } from "./compat-socket.ts";
import type { StreamHead } from "./request-head.ts";
import type { ArrivedHead } from "./session-exchange.ts";

/** The exchange, to its request. */
export interface RequestHost {
  /** The connection. */
  readonly socket: Socket;
  /** Whether all content has arrived and was passed on. */
  readonly contentIsWhole: boolean;
  /** Whether all content has arrived. */
  readonly contentIsComplete: boolean;
}

// Symbols and no private members: an app may make an object of its own from the request.
const HOST = Symbol("tsgun.host");
const SOCKET = Symbol("tsgun.socket");
const HAS_FAILED = Symbol("tsgun.failed");
const ABORT = Symbol("tsgun.abort");

type Done = (error?: Error | null) => void;

export class CompatRequest extends Http2ServerRequest {
  readonly [HOST]: RequestHost;
  [SOCKET]: Socket | undefined;
  [HAS_FAILED] = false;
  [ABORT]: AbortController | undefined;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    rawHeaders: readonly string[],
    host: RequestHost,
  ) {
    // Node emits `close` itself when the stream has closed.
    super(stream, headers, { emitClose: false }, rawHeaders);
    this[HOST] = host;
  }

  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    if (chunk !== null || this[HOST].contentIsWhole) return super.push(chunk, encoding);
    this.failContent();
    return false;
  }

  /** No more content will come. */
  failContent(error: Error = aborted()): void {
    if (this[HAS_FAILED] || this.readableEnded) return;
    this[HAS_FAILED] = true;
    this.destroy(error);
  }

  override _destroy(error: Error | null, done: Done): void {
    // The app destroys it to be rid of its client.
    if (!this[HAS_FAILED]) breakOff(this.stream);
    // As with HTTP/1.1, an app that does not listen does not mind.
    done(this.listenerCount("error") > 0 ? error : null);
  }

  /** Aborts when the request has closed, as from Node 24 on. */
  get signal(): AbortSignal {
    let controller = this[ABORT];
    if (controller === undefined) {
      const made = new AbortController();
      controller = made;
      this[ABORT] = made;
      if (this.stream.destroyed) made.abort();
      else this.once("close", () => made.abort());
    }
    return controller.signal;
  }

  get headersDistinct(): Record<string, string[]> {
    return distinctFields(this.rawHeaders);
  }

  get trailersDistinct(): Record<string, string[]> {
    return distinctFields(this.rawTrailers);
  }
}

for (const name of ["socket", "connection"]) {
  Object.defineProperty(CompatRequest.prototype, name, {
    configurable: true,
    get(this: CompatRequest): Socket {
      this[SOCKET] ??= socketOf(this.stream, this[HOST].socket);
      return this[SOCKET];
    },
  });
}

Object.defineProperty(CompatRequest.prototype, "complete", {
  configurable: true,
  // Node says that whatever has closed is complete.
  get(this: CompatRequest): boolean {
    return !this[HAS_FAILED] && this[HOST].contentIsComplete;
  },
});

/** The error of Node's requests over HTTP/1.1 for the same. */
function aborted(): Error {
  return Object.assign(new Error("aborted"), { code: "ECONNRESET" });
}

/** Says that there is content, of which the length is not known: body parsers look for either field. */
const UNKNOWN_LENGTH = ["transfer-encoding", "chunked"];

/**
 * The fields of a request as a listener gets them: node's, and what HTTP/1.1 would have shown.
 *
 * @param arrived its `headers` get the fields that are missing
 */
export function listenerHeaders(
  { headers, fields }: ArrivedHead,
  head: StreamHead,
): { readonly headers: IncomingHttpHeaders; readonly rawHeaders: string[] } {
  const rawHeaders: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    // The head says what an extended CONNECT stands for.
    if (name[0] !== ":" || name === ":protocol") continue;
    rawHeaders.push(name, name === ":method" ? head.method : (fields[index + 1] as string));
  }
  headers[":method"] = head.method;
  delete headers[":protocol"];
  const isUnknown = head.contentLength === undefined;
  const own = isUnknown ? [...head.rawHeaders, ...UNKNOWN_LENGTH] : head.rawHeaders;
  for (let index = 0; index < own.length; index += 2) headers[own[index] as string] ??= own[index + 1];
  rawHeaders.push(...own);
  return { headers, rawHeaders };
}
