/** Serves a node listener in this process with HTTP/2 and HTTP/1.1 on one free port, without TLS. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { RequestListener } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { ClientGone } from "../../src/errors.ts";
import { Front } from "../../src/server/front/front.ts";
import { protocolChoice } from "../../src/server/front/protocol-choice.ts";
import type { Http2Options } from "../../src/server/http2/http2-server.ts";
import { listenerSessions } from "../../src/server/http2/listener-server.ts";
import { NodeServer } from "../../src/server/node/node-server.ts";
import type { ServerEventsOptions } from "../../src/server/node/node-server-options.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../../src/server/server-options.ts";
import { HTTP2_DEFAULTS } from "./http2-engine.ts";
import { listenBehindFront } from "./tls-front.ts";

export interface Http2Listener {
  readonly port: number;
  readonly server: NodeServer;
  /** Errors that were reported, in order. */
  readonly errors: Error[];
  /** Budgets that clients have exceeded, in order. */
  readonly excesses: string[];
  connect(): Promise<Socket>;
  session(): Promise<ClientHttp2Session>;
}

type Options = Partial<ServerEventsOptions> & { readonly sessions?: Partial<Http2Options> };

/** Any listener that node takes, also one for the objects of HTTP/2. */
export type AnyListener = (request: never, response: never) => unknown;

/** Starts it without a test that ends it. */
export async function openHttp2Listener(
  listener: AnyListener,
  { sessions, ...options }: Options = {},
): Promise<Omit<Http2Listener, "connect" | "session">> {
  const errors: Error[] = [];
  const excesses: string[] = [];
  const stages = [protocolChoice({ h1: true, cleartext: true })];
  const onRefused = (error: Error): void => assert.ok(error.cause instanceof ClientGone, error);
  const server = new NodeServer(
    {
      listener: listener as RequestListener,
      upgrade: undefined,
      limits: DEFAULT_LIMITS,
      timeouts: DEFAULT_TIMEOUTS,
      onError: (error) => errors.push(error),
      onAcceptError: (error) => errors.push(error),
      front: (limiter) => new Front({ stages, timeout: 5000, onRefused }, limiter),
      ...options,
    },
    listenerSessions({ ...HTTP2_DEFAULTS, onExcess: (excess) => excesses.push(excess), ...sessions }),
  );
  return { port: await listenBehindFront(server), server, errors, excesses };
}

export async function startHttp2Listener(
  test: TestContext,
  listener: AnyListener,
  options: Options = {},
): Promise<Http2Listener> {
  const opened = await openHttp2Listener(listener, options);
  const { port, server } = opened;
  test.after(() => server.destroy());
  const open = async (): Promise<Socket> => {
    const socket = connectSocket({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    test.after(() => socket.destroy());
    await once(socket, "connect");
    return socket;
  };
  return {
    ...opened,
    connect: open,
    session: async () => {
      const session = connect(`http://127.0.0.1:${port}`);
      session.on("error", () => {});
      test.after(() => session.destroy());
      await once(session, "remoteSettings");
      return session;
    },
  };
}
