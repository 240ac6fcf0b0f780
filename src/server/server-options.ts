/** The options of both servers: limits in bytes, times in milliseconds. */

import type { ProxyRules } from "../exchange/proxy-rules.ts";
import type { ErrorContent } from "../exchange/response.ts";
import type { WorkerInfo } from "../gateway/types.ts";
import type { HeadLimit, RequestLimits } from "../http/head-limit.ts";
import type { AccessLog } from "../log/access-log.ts";
import type { AcceptLimiter } from "./accept-limiter.ts";
import type { ContentTimeouts } from "./content-pace.ts";

export interface ServerTimeouts extends ContentTimeouts {
  /** For a whole request head from its first byte; beyond it 408. */
  readonly header: number;
  /** From the latest bytes of a request to the head of its answer; beyond it the signal aborts and the answer is 503. */
  readonly request: number;
  /** For the next request on an idle connection (gunicorn: keepalive); 0 closes behind every answer. */
  readonly keepAlive: number;
}

/** Tells of an error in the app or in a request; the connection has been seen to already. */
export type ErrorReporter = (error: Error, request: { method: string; target: string; id: string }) => void;

/** What a 500 says of the app's error, for what the client accepts (the field's value). */
export type ErrorDescriber = (error: Error, accept: string | undefined) => ErrorContent;

export interface EngineOptions {
  readonly limits: RequestLimits & {
    /** The largest request body in bytes, `Infinity` for no limit; beyond it 413. */
    readonly body: number;
  };
  readonly timeouts: ServerTimeouts;
  /** How many connections there may be; any number by default. */
  readonly limiter?: AcceptLimiter;
  readonly worker: WorkerInfo;
  /** What the app's `startup` returned. */
  readonly state: unknown;
  /** Whose word of others counts; nobody's by default. */
  readonly proxyRules?: ProxyRules;
  /** The prefix under which the app is mounted; "" by default. */
  readonly rootPath?: string;
  readonly onError: ErrorReporter;
  /** Tells of a head that was refused for being beyond a limit. */
  readonly onHeadLimit?: (limit: HeadLimit) => void;
  /** Undefined: nothing beyond the status. */
  readonly describeError?: ErrorDescriber | undefined;
  /** Gets a line for each request; undefined where none is wanted. */
  readonly accessLog?: AccessLog | undefined;
  /** An unfinished head was refused, because all of them together hold too much. */
  readonly onHeadRefused?: () => void;
  /** A connection could not be accepted (no file descriptors left, say); the server goes on. */
  readonly onAcceptError: (error: Error) => void;
}

/** What nginx lets pass by default; the number of fields is gunicorn's. */
export const DEFAULT_LIMITS: EngineOptions["limits"] = {
  requestLine: 8190,
  fields: 100,
  fieldSize: 32_768,
  body: Number.POSITIVE_INFINITY,
};

/** 75 s is above nginx's 60 s for idle upstream connections: who reuses a connection must close it first. */
export const DEFAULT_TIMEOUTS: ServerTimeouts = {
  header: 30_000,
  body: 60_000,
  bodyTotal: Number.POSITIVE_INFINITY,
  bodyMinRate: 240,
  request: Number.POSITIVE_INFINITY,
  keepAlive: 75_000,
};
