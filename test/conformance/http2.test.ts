/** The suite over HTTP/2, with node's own client. Cases that send or see bytes of HTTP/1.1 do not apply. */

import { setTimeout as pause } from "node:timers/promises";
import type { StartSubject } from "../../src/conformance/exchange.ts";
import { conformance } from "../../src/conformance/register.ts";
import { ProxyRules } from "../../src/exchange/proxy-rules.ts";
import type { App } from "../../src/gateway/types.ts";
import { workerInfo } from "../../src/interop/worker-info.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../../src/server/server-options.ts";
import { openHttp2Engine } from "../support/http2-engine.ts";
import { exchangeOverHttp2, NOT_OF_HTTP2 } from "../support/http2-suite.ts";

/** The bound for the end of a server. */
const DRAIN_MS = 1000;

const start: StartSubject = async (given, options) => {
  const app: App = typeof given === "function" ? { handle: given } : given;
  const drain = new AbortController();
  const worker = workerInfo({ slot: 1, generation: 1, drain: drain.signal });
  let state: unknown;
  try {
    state = await app.startup?.(worker);
  } catch {
    return { exchange: () => Promise.reject(new Error("no server listens")), close: async () => {} };
  }
  const engine = await openHttp2Engine(app, {
    limits: { ...DEFAULT_LIMITS, body: options.bodyLimit ?? Number.POSITIVE_INFINITY },
    timeouts: { ...DEFAULT_TIMEOUTS, request: options.requestTimeout ?? Number.POSITIVE_INFINITY },
    worker,
    state,
    ...(options.forwardedAllowIps !== undefined && { proxyRules: new ProxyRules(options.forwardedAllowIps) }),
    ...(options.rootPath !== undefined && { rootPath: options.rootPath }),
    onError: options.onError,
  });
  let closed = false;
  return {
    exchange: (request) => exchangeOverHttp2(engine.port, request),
    drain: () => {
      drain.abort();
      engine.server.drain(100).catch(() => {});
    },
    close: async () => {
      if (closed) return;
      closed = true;
      // As a worker does: it waits for handlers, within a bound.
      await Promise.race([engine.server.drain(0), pause(DRAIN_MS, undefined, { ref: false })]);
      engine.server.destroy();
      await app.shutdown?.(state);
    },
  };
};

conformance("HTTP/2", start, NOT_OF_HTTP2);
