/** Options of both servers. Limits are in bytes, times in milliseconds. */

import type { ProxyRules } from "../exchange/proxy-rules.ts";
import type { ErrorContent } from "../exchange/response.ts";
import type { WorkerInfo } from "../gateway/types.ts";
import type { HeadLimit, RequestLimits } from "../http/head-limit.ts";
import type { AccessLog } from "../log/access-log.ts";
import type { AcceptLimiter } from "./accept-limiter.ts";
import type { ContentTimeouts } from "./content-pace.ts";
import type { Front } from "./front/front.ts";
import type { StrayHeader } from "./front/stray-header.ts";
import type { InFlightGate } from "./in-flight-gate.ts";
import type { RequestMeter } from "./request-meter.ts";
import type { SendTimeouts } from "./send-pace.ts";

export interface ServerTimeouts extends ContentTimeouts, SendTimeouts {
  /** For a whole request head, from its first byte; then 408. */
  readonly header: number;
  /**
   * From the last bytes of a request to the head of its response; then its signal aborts and the response is 503. Time in
   * the queue of the gate does not count.
   */
  readonly request: number;
  /** For the next request on an idle connection (gunicorn: keepalive); 0 closes after every response. */
  readonly keepAlive: number;
}

/** Makes the front of a server's connections, which counts them with the server's limiter. */
export type MakeFront = (limiter: AcceptLimiter) => Front;

/** Reports an error in the app or in a request. The connection has been dealt with. */
export type ErrorReporter = (error: Error, request: { method: string; target: string; id: string }) => void;

/** Makes the content of a 500 from the app's error. `accept` is the value of the request's field. */
export type ErrorDescriber = (error: Error, accept: string | undefined) => ErrorContent;

export interface EngineOptions {
  readonly limits: RequestLimits & {
    /** Maximum bytes of a request body, `Infinity` for no limit; more is answered with 413. */
    readonly body: number;
  };
  readonly timeouts: ServerTimeouts;
  /** How many requests a connection may carry. Default: unlimited. */
  readonly connectionRequests?: number | undefined;
  /** Default: unlimited. */
  readonly limiter?: AcceptLimiter;
  /** The front of connections; undefined: none. */
  readonly front?: MakeFront | undefined;
  /** Bounds the requests in flight on the connections of `listen`; undefined: nothing does. */
  readonly gate?: InFlightGate | undefined;
  readonly worker: WorkerInfo;
  /** The value that the app's `startup` returned. */
  readonly state: unknown;
  /** The proxies whose forwarded fields are trusted; default: none. */
  readonly proxyRules?: ProxyRules;
  /** The prefix under which the app is mounted; default: "". */
  readonly rootPath?: string;
  readonly onError: ErrorReporter;
  /** Reports a head that was refused because it exceeds a limit. */
  readonly onHeadLimit?: (limit: HeadLimit) => void;
  /** Reports a PROXY header in place of a request. */
  readonly onStrayHeader?: (header: StrayHeader) => void;
  /** Undefined: a 500 has only the status. */
  readonly describeError?: ErrorDescriber | undefined;
  /** Gets a line for each request. */
  readonly accessLog?: AccessLog | undefined;
  /** Counts each request; undefined: none is counted. */
  readonly meter?: RequestMeter | undefined;
  /** Reports that an incomplete head was refused because all of them together use too much memory. */
  readonly onHeadRefused?: () => void;
  /**
   * Reports a connection that could not be accepted, for example without a free file descriptor. The server continues.
   */
  readonly onAcceptError: (error: Error) => void;
}

/** Seconds after which a client that was refused for too much load should try again. */
export const RETRY_AFTER = "1";

/** nginx's defaults; the number of fields is gunicorn's. */
export const DEFAULT_LIMITS: EngineOptions["limits"] = {
  requestLine: 8190,
  fields: 100,
  fieldSize: 32_768,
  body: Number.POSITIVE_INFINITY,
};

/**
 * `keepAlive` is above nginx's 60 s for idle upstream connections: the side that reuses a connection must close it
 * first.
 */
export const DEFAULT_TIMEOUTS: ServerTimeouts = {
  header: 30_000,
  body: 60_000,
  bodyTotal: Number.POSITIVE_INFINITY,
  bodyMinRate: 240,
  responseMinRate: 240,
  request: Number.POSITIVE_INFINITY,
  keepAlive: 75_000,
};
