/** The options of node's server. */
import type { IncomingMessage, RequestListener, Server } from "node:http";
import type { Duplex } from "node:stream";
import type { ProxyRules } from "../../exchange/proxy-rules.ts";
import type { AccessLog } from "../../log/access-log.ts";
import type { AcceptLimiter } from "../accept-limiter.ts";
import type { StrayHeader } from "../front/stray-header.ts";
import type { InFlightGate } from "../in-flight-gate.ts";
import type { RequestMeter } from "../request-meter.ts";
import type {
  EngineOptions,
  ErrorDescriber,
  ErrorReporter,
  MakeFront,
  ServerTimeouts,
} from "../server-options.ts";
import type { LimitListener } from "./node-limits.ts";

export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Wraps the app's listeners (request hooks). */
export interface ListenerWrapper {
  listener(listener: RequestListener): RequestListener;
  upgrade(listener: UpgradeListener): UpgradeListener;
}

/** An app's listeners. */
export interface ServedListeners {
  readonly listener: RequestListener;
  /** Handles upgrade requests; undefined leaves them to `listener`, as node does. */
  readonly upgrade: UpgradeListener | undefined;
}

/** A server that the app made. */
export interface AdoptedServer {
  readonly server: Server;
  readonly wrapper: ListenerWrapper | undefined;
}

/** Serves an app's listeners on servers of ours, or the app's own server. */
export type Served =
  | (ServedListeners & { readonly adopted?: undefined })
  | { readonly adopted: AdoptedServer };

export type NodeServerOptions = Served & ServerEventsOptions;

export interface ServerEventsOptions {
  readonly limits: EngineOptions["limits"];
  readonly timeouts: ServerTimeouts;
  /** How many requests a connection may carry. Default: unlimited, or what an adopted server has chosen. */
  readonly connectionRequests?: number | undefined;
  /** Bounds the number of connections. Default: unlimited. */
  readonly limiter?: AcceptLimiter;
  /** The front of connections; undefined: none. */
  readonly front?: MakeFront | undefined;
  /** Bounds the requests in flight on the connections of `listen`; undefined: nothing does. */
  readonly gate?: InFlightGate | undefined;
  /** Called with each error of the listener, and for each request that exceeded a timeout. */
  readonly onError: ErrorReporter;
  /** Called when a head is refused because it exceeds a limit. */
  readonly onHeadLimit?: LimitListener;
  /** Called for a PROXY header in place of a request. */
  readonly onStrayHeader?: (header: StrayHeader) => void;
  /** Makes the content of the 500 that follows an error of the listener. Default: only the status. */
  readonly describeError?: ErrorDescriber | undefined;
  /** Gets a line for each request; undefined disables it. */
  readonly accessLog?: AccessLog | undefined;
  /** Counts each request; undefined: none is counted. */
  readonly meter?: RequestMeter | undefined;
  /**
   * The proxies that the access log and the queue time trust, and whose idle connections make no room for others. An app
   * has its own setting for that.
   */
  readonly proxyRules?: ProxyRules | undefined;
  /** Called when an incomplete head is refused because all of them together hold too much memory. */
  readonly onHeadRefused?: () => void;
  readonly onAcceptError: (error: Error) => void;
}
