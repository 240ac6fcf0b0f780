/**
 * A request as the access log sees it. The server passes an object with accessors, not a copy, so that nothing is
 * computed that the format does not use.
 */
import type { LineMemo } from "./line-memo.ts";

/**
 * How a request ended. `complete`: the response was written in full. `client-gone`: the client closed the
 * connection first. `truncated`: the response broke off after its head. `timeout`: the request ran out of time.
 * `refused`: it was malformed or exceeded a limit, and the app never saw it whole. `upgraded`: the connection was
 * handed over. `worker-exit`, `worker-killed`: the worker ended first.
 */
export type RequestEnd =
  | "complete"
  | "client-gone"
  | "truncated"
  | "timeout"
  | "refused"
  | "upgraded"
  | "worker-exit"
  | "worker-killed";

/** nginx's status for a client that closed the connection before the response. */
export const CLIENT_GONE_STATUS = 499;

/** The status that a proxy in front sends to its client when it gets no response. */
export const NO_RESPONSE_STATUS = 502;

/** Text is raw: one character per byte (Latin-1), nothing escaped. */
export interface AccessEntry {
  /** Arrival, in milliseconds since the epoch. */
  readonly time: number;
  /** In milliseconds. */
  readonly duration: number;
  /** The client's address, empty on a Unix socket. */
  readonly remote: string;
  /** Empty if the request line was never read. */
  readonly method: string;
  readonly target: string;
  /** `HTTP/1.1`, or empty. */
  readonly protocol: string;
  /** The status sent, or the one that explains why none was. */
  readonly status: number;
  /** Bytes of content sent, without framing. */
  readonly bytes: number;
  readonly id: string;
  readonly end: RequestEnd;
  /** Text that the connection's last line left for the next one. Without it each line is made anew. */
  readonly memo?: LineMemo;
  /** Whether the peer's own claims about the request (traceparent) are trusted. */
  readonly trusted: boolean;
  /** A request field by its lower-case name; repeated fields are joined as a list. */
  requestField(name: string): string | undefined;
  /** A response field by its lower-case name, as the app set it. */
  responseField(name: string): string | undefined;
}
