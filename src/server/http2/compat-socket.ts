/**
 * The socket that a node listener sees on a stream of HTTP/2: what it reads is told by the connection, and what it does
 * (listen, end, destroy, set a timeout) is done to its stream alone. Node's own shows the stream below the session, which
 * here is not the connection.
 */
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";

/** Members that are the stream's. */
const OF_STREAM = new Set<PropertyKey>([
  "addListener",
  "destroyed",
  "emit",
  "end",
  "eventNames",
  "listenerCount",
  "listeners",
  "off",
  "on",
  "once",
  "prependListener",
  "prependOnceListener",
  "rawListeners",
  "readable",
  "removeAllListeners",
  "removeListener",
  "setMaxListeners",
  "setTimeout",
  "timeout",
  "writable",
]);

/** Members that would break the framing of all other streams. */
const FORBIDDEN = new Set<PropertyKey>([
  "cork",
  "pause",
  "pipe",
  "push",
  "read",
  "resume",
  "uncork",
  "unshift",
  "write",
  "_destroy",
]);

/** Breaks a stream off, unless it has ended. The client must not take what it has for the whole response. */
export function breakOff(stream: ServerHttp2Stream): void {
  if (stream.destroyed || stream.closed) return;
  const isComplete = stream.headersSent && stream.writableFinished;
  stream.close(isComplete ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_INTERNAL_ERROR);
}

class SocketView implements ProxyHandler<ServerHttp2Stream> {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  has(stream: ServerHttp2Stream, name: PropertyKey): boolean {
    return name in stream || name in this.#socket;
  }

  get(stream: ServerHttp2Stream, name: PropertyKey): unknown {
    if (name === "destroy" || name === "destroySoon" || name === "resetAndDestroy") {
      return () => (name === "destroySoon" && stream.writableEnded ? undefined : breakOff(stream));
    }
    if (FORBIDDEN.has(name)) throw forbidden(name);
    const owner: object = OF_STREAM.has(name) ? stream : this.#socket;
    const value: unknown = Reflect.get(owner, name, owner);
    return typeof value === "function" ? value.bind(owner) : value;
  }

  set(stream: ServerHttp2Stream, name: PropertyKey, value: unknown): boolean {
    if (FORBIDDEN.has(name)) throw forbidden(name);
    const owner: object = OF_STREAM.has(name) || name === "destroy" ? stream : this.#socket;
    return Reflect.set(owner, name, value, owner);
  }

  getPrototypeOf(): object | null {
    return Object.getPrototypeOf(this.#socket);
  }
}

function forbidden(name: PropertyKey): Error {
  return Object.assign(new Error(`the socket of an HTTP/2 request has no ${String(name)}: use its stream`), {
    code: "ERR_HTTP2_NO_SOCKET_MANIPULATION",
  });
}

/** @param socket the connection, on which other streams go on */
export function socketOf(stream: ServerHttp2Stream, socket: Socket): Socket {
  return new Proxy(stream, new SocketView(socket)) as unknown as Socket;
}
