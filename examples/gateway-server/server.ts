/**
 * A server of the gateway interface (docs/gateway.md) on node:net, written from that text alone: HTTP/1.1, one process,
 * the same files on Node 20 to 26 and on Bun. It imports nothing of tsgun but types.
 */

import { STATUS_CODES } from "node:http";
import { createServer, type Socket } from "node:net";
import { pathToFileURL } from "node:url";
import type { App, GatewayRequest, Handler, HeadersInput, WorkerInfo } from "tsgun/gateway";
import { asError, misuse, refusal, statusOf } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import { OF_SERVER, type Pairs, pairsOf, without } from "./fields.ts";
import { HEAD_LIMIT, type Head, parseHead } from "./head.ts";
import type { Host } from "./host.ts";
import { Message } from "./message.ts";
import type { Body } from "./sources.ts";
import { linger, Wire } from "./wire.ts";

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

/** The app, its state, and what is at work. */
class Server implements Host {
  readonly app: App<never>;
  readonly options: ServeOptions;
  readonly bodyLimit: number;
  readonly requestTimeout: number | undefined;
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
    this.bodyLimit = options.bodyLimit ?? Number.POSITIVE_INFINITY;
    this.requestTimeout = options.requestTimeout;
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

  /** Answers a head that is none (11.6), and ends the connection. */
  #refuse(wire: Wire, error: Error): void {
    const status = statusOf(error);
    const { fields, body } = this.dress(status, error, undefined);
    const message = new Message("", "1.1");
    Object.assign(message, { status, fields, close: true });
    wire.write(message.whole(body));
  }
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
