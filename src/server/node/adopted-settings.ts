/**
 * An adopted server keeps the settings that its app gave it (`keepAliveTimeout`, `maxHeadersCount`, …) where tsgun's own
 * setting has its default, and gets tsgun's everywhere else.
 *
 * Node's timeouts also count time in which the loop was blocked and could not read, so they are turned off, and ours run
 * with their values.
 */
import type { Server } from "node:http";
import { createServer } from "../../native/http.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS, type ServerTimeouts } from "../server-options.ts";
import { finite, maxHeadBytes } from "./http-server.ts";
import type { ServerEventsOptions } from "./node-server-options.ts";

/** Properties of node's servers that are not in its types: they are set by the options of `createServer`. */
interface ServerSettings {
  maxHeaderSize?: number | undefined;
  requireHostHeader?: boolean;
}

/** Applies tsgun's settings to `server`; returns the options that hold. */
export function adoptSettings(
  server: Server,
  options: ServerEventsOptions,
): Pick<ServerEventsOptions, "timeouts" | "connectionRequests"> {
  const { limits, timeouts } = options;
  const untouched = createServer();
  const header = chosen(
    timeouts.header,
    DEFAULT_TIMEOUTS.header,
    server.headersTimeout,
    untouched.headersTimeout,
  );
  const bodyTotal = chosen(
    timeouts.bodyTotal,
    DEFAULT_TIMEOUTS.bodyTotal,
    server.requestTimeout,
    untouched.requestTimeout,
  );
  server.headersTimeout = 0;
  server.requestTimeout = 0;
  const applied = finite(timeouts.keepAlive);
  if (
    timeouts.keepAlive !== DEFAULT_TIMEOUTS.keepAlive ||
    server.keepAliveTimeout === untouched.keepAliveTimeout
  ) {
    server.keepAliveTimeout = applied;
  }
  // Node silently drops the fields beyond this number. One more than allowed shows that there were too many.
  if (limits.fields !== DEFAULT_LIMITS.fields || server.maxHeadersCount === null) {
    server.maxHeadersCount = limits.fields + 1;
  }
  // Node announces the close after the last request and leaves the connection open, and it answers a request that
  // was sent before with 503. So its limit is turned off, and ours has its value.
  const { connectionRequests = server.maxRequestsPerSocket || undefined } = options;
  server.maxRequestsPerSocket = 0;
  const settings = server as unknown as ServerSettings;
  settings.maxHeaderSize ??= maxHeadBytes(limits);
  // Checked with the limits, so that such a request is logged and answered like any other.
  settings.requireHostHeader = false;
  const held: ServerTimeouts = {
    ...timeouts,
    header,
    bodyTotal,
    // The app may change it at any time.
    get keepAlive() {
      const { keepAliveTimeout } = server;
      return keepAliveTimeout === applied ? timeouts.keepAlive : keepAliveTimeout || Number.POSITIVE_INFINITY;
    },
  };
  return { timeouts: held, connectionRequests };
}

/** Ours, unless only the app has chosen a value. Node represents "no limit" as 0. */
function chosen(ours: number, ourDefault: number, theirs: number, theirDefault: number): number {
  if (ours !== ourDefault || theirs === theirDefault) return ours;
  return theirs === 0 ? Number.POSITIVE_INFINITY : theirs;
}
