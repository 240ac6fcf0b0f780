/** Starts the gateway engine in this process with HTTP/2 and HTTP/1.1 on one free port, without TLS. */

import { once } from "node:events";
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import { connect as connectSocket, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import type { App, Handler } from "../../src/gateway/types.ts";
import { workerInfo } from "../../src/interop/worker-info.ts";
import { AcceptLimiter } from "../../src/server/accept-limiter.ts";
import { probeHandles } from "../../src/server/channel/handle-probe.ts";
import { GatewayServer } from "../../src/server/engine/gateway-server.ts";
import { Front } from "../../src/server/front/front.ts";
import { protocolChoice } from "../../src/server/front/protocol-choice.ts";
import { type Http2Options, http2Sessions } from "../../src/server/http2/http2-server.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS, type EngineOptions } from "../../src/server/server-options.ts";

export const HTTP2_DEFAULTS: Http2Options = {
  maxConcurrentStreams: 100,
  initialWindowSize: 65_535,
  maxFrameSize: 16_384,
  maxHeaderListSize: 65_536,
  onExcess: () => {},
};

export interface Http2Engine {
  readonly port: number;
  readonly server: GatewayServer;
  /** Errors that the engine reported, in order. */
  readonly errors: Error[];
  /** Budgets that clients have exceeded, in order. */
  readonly excesses: string[];
  /** Connections that the front has refused. */
  readonly refused: Error[];
  connect(): Promise<Socket>;
  session(): Promise<ClientHttp2Session>;
}

type Options = Partial<EngineOptions> & {
  readonly sessions?: Partial<Http2Options>;
  readonly onlyHttp2?: boolean;
};

/** Starts it without a test that ends it. */
export async function openHttp2Engine(app: App | Handler, given: Options = {}): Promise<Http2Engine> {
  const { sessions, onlyHttp2 = false, ...options } = given;
  // As with most connections of a worker.
  await probeHandles();
  const errors: Error[] = [];
  const refused: Error[] = [];
  const excesses: string[] = [];
  const drain = new AbortController();
  const limiter = new AcceptLimiter();
  const server = new GatewayServer(typeof app === "function" ? { handle: app } : app, {
    limits: DEFAULT_LIMITS,
    timeouts: DEFAULT_TIMEOUTS,
    worker: workerInfo({ slot: 1, generation: 1, drain: drain.signal }),
    state: undefined,
    onError: (error) => errors.push(error),
    onAcceptError: (error) => errors.push(error),
    limiter,
    http2: http2Sessions({ ...HTTP2_DEFAULTS, onExcess: (excess) => excesses.push(excess), ...sessions }),
    ...options,
  });
  const listener = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const stages = [protocolChoice({ h1: !onlyHttp2, cleartext: true })];
  const onRefused = (error: Error): number => refused.push(error);
  server.adopt(listener, new Front({ stages, timeout: 5000, onRefused }, limiter));
  const { port } = listener.address() as { port: number };
  return {
    port,
    server,
    errors,
    excesses,
    refused,
    connect: async () => {
      const socket = connectSocket({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
      await once(socket, "connect");
      return socket;
    },
    session: async () => {
      const session = connect(`http://127.0.0.1:${port}`);
      session.on("error", () => {});
      await once(session, "remoteSettings");
      return session;
    },
  };
}

export async function startHttp2Engine(
  test: TestContext,
  app: App | Handler,
  options: Options = {},
): Promise<Http2Engine> {
  const engine = await openHttp2Engine(app, options);
  test.after(() => {
    engine.server.drain(0).catch(() => {});
    engine.server.destroy();
  });
  return engine;
}

export interface Http2Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly trailers: IncomingHttpHeaders;
  readonly informational: readonly IncomingHttpHeaders[];
  /** With which the stream ended. */
  readonly code: number;
}

/** Sends a request and waits for the end of its stream. */
export function ask(
  session: ClientHttp2Session,
  headers: Record<string, string | string[]> = {},
  content?: string | Uint8Array,
): Promise<Http2Answer> {
  const stream = session.request({ ":path": "/", ...headers }, { endStream: content === undefined });
  const pieces: Buffer[] = [];
  const informational: IncomingHttpHeaders[] = [];
  let head: IncomingHttpHeaders & { ":status"?: number | undefined } = {};
  let trailers: IncomingHttpHeaders = {};
  stream.on("headers", (fields) => informational.push(fields));
  stream.on("response", (fields) => {
    head = fields;
  });
  stream.on("trailers", (fields) => {
    trailers = fields;
  });
  stream.on("data", (piece: Buffer) => pieces.push(piece));
  stream.on("error", () => {});
  if (content !== undefined) stream.end(content);
  return new Promise((resolve) => {
    stream.on("close", () => {
      const text = Buffer.concat(pieces).toString();
      const { rstCode: code = 0 } = stream;
      resolve({ status: head[":status"] ?? 0, headers: head, text, trailers, informational, code });
    });
  });
}
