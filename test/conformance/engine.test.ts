/** The suite over the gateway engine. */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { StartSubject } from "../../src/conformance/exchange.ts";
import { conformance } from "../../src/conformance/register.ts";
import { exchangeOver } from "../../src/conformance/wire-client.ts";
import { ProxyRules } from "../../src/exchange/proxy-rules.ts";
import type { App } from "../../src/gateway/types.ts";
import { workerInfo } from "../../src/interop/worker-info.ts";
import { probeHandles } from "../../src/server/channel/handle-probe.ts";
import { GatewayServer } from "../../src/server/engine/gateway-server.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../../src/server/server-options.ts";
import { connectTo, listenBehindFront, OVER_TLS, tlsFront } from "../support/tls-front.ts";

/** The bound for the end of an engine. */
const DRAIN_MS = 1000;

async function listen(server: GatewayServer): Promise<{ port: number; stopListening: () => void }> {
  // Its drain stops listening.
  if (OVER_TLS) return { port: await listenBehindFront(server), stopListening: () => {} };
  const listener = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  server.adopt(listener);
  const { port } = listener.address() as { port: number };
  return { port, stopListening: () => listener.close() };
}

/** Starts an app and its engine, as a worker does. */
const start: StartSubject = async (given, options) => {
  const app: App = typeof given === "function" ? { handle: given } : given;
  const drain = new AbortController();
  const worker = workerInfo({ slot: 1, generation: 1, drain: drain.signal });
  let state: unknown;
  try {
    state = await app.startup?.(worker);
  } catch {
    // A worker whose app does not start never listens.
    return { exchange: () => Promise.reject(new Error("no server listens")), close: async () => {} };
  }
  if (OVER_TLS) await probeHandles();
  const server = new GatewayServer(app, {
    limits: { ...DEFAULT_LIMITS, body: options.bodyLimit ?? Number.POSITIVE_INFINITY },
    timeouts: { ...DEFAULT_TIMEOUTS, request: options.requestTimeout ?? Number.POSITIVE_INFINITY },
    worker,
    state,
    ...(options.forwardedAllowIps !== undefined && {
      proxyRules: new ProxyRules(options.forwardedAllowIps),
    }),
    ...(options.rootPath !== undefined && { rootPath: options.rootPath }),
    onError: options.onError,
    onAcceptError: (error) => {
      throw error;
    },
    ...(OVER_TLS && { front: tlsFront() }),
  });
  const { port, stopListening } = await listen(server);
  const open = (): Promise<Socket> => connectTo(port, true);
  let closed = false;
  return {
    connect: open,
    exchange: (request) => exchangeOver(open, request),
    drain: () => {
      drain.abort();
      void server.drain(100);
    },
    close: async () => {
      if (closed) return;
      closed = true;
      stopListening();
      // As a worker does: it waits for handlers, within a bound.
      await Promise.race([server.drain(0), pause(DRAIN_MS, undefined, { ref: false })]);
      server.destroy();
      await app.shutdown?.(state);
    },
  };
};

conformance("the engine", start);
