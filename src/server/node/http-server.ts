/** Creates the http.Server that node parses requests with. Our own clocks and limits replace node's. */
import type { Server } from "node:http";
import { createServer } from "../../native/http.ts";
import type { ServerEventsOptions } from "./node-server-options.ts";

/** The upper bound for `maxHeaderSize`: the product of large limits exceeds what node can count. */
const MAX_HEAD_BYTES = 2 ** 30;

export function createHttpServer({ limits, timeouts }: ServerEventsOptions): Server {
  const server = createServer({
    keepAliveTimeout: finite(timeouts.keepAlive),
    // Node's timeouts also count time in which the loop was blocked and could not read. The tick clock checks these.
    headersTimeout: 0,
    requestTimeout: 0,
    // Checked with the limits, so that such a request is logged and answered like any other.
    requireHostHeader: false,
    maxHeaderSize: maxHeadBytes(limits),
  });
  // Node silently drops the fields beyond this number. One more than allowed shows that there were too many.
  server.maxHeadersCount = limits.fields + 1;
  return server;
}

/**
 * Frees a server that does not listen yet from node's list of connections, two ordered sets in which each request moves its
 * connection: 0.3 µs (Node 20 and 24). Node needs it for its own timeouts, which are off, and for closing connections.
 *
 * @returns whether that was possible; then `closeIdleConnections` and `closeAllConnections` do nothing any more
 */
export function untrackConnections(server: Server): boolean {
  const track = server.listeners("listening").find(({ name }) => name === "setupConnectionsTracking");
  if (track === undefined) return false;
  server.removeListener("listening", track as () => void);
  return true;
}

/** The sum of the limits of a head. */
export function maxHeadBytes(limits: ServerEventsOptions["limits"]): number {
  return Math.min(MAX_HEAD_BYTES, limits.requestLine + (limits.fields + 1) * limits.fieldSize);
}

/** Node represents "no limit" as 0. */
export function finite(limit: number): number {
  return Number.isFinite(limit) ? limit : 0;
}
