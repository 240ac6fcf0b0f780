/**
 * What the access log is told of a request. A server hands over an object that can answer, not a copy of
 * everything: what a format does not name is never looked for.
 */

/**
 * How a request ended. `complete`: its answer was handed over whole. `client-gone`: the client closed the
 * connection before. `truncated`: the answer broke off behind its head. `timeout`: its time was over.
 * `refused`: it was malformed or beyond a limit, and the app never saw it whole. `upgraded`: the connection was handed
 * over. `worker-exit`, `worker-killed`: its worker ended first.
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

/** nginx's word for a client that did not wait for the answer. */
export const CLIENT_GONE = 499;

/** What a proxy in front tells its client when there was no answer. */
export const NO_ANSWER = 502;

/** Text is as it came: each character stands for a byte (Latin-1), and nothing is escaped. */
export interface AccessEntry {
  /** When it arrived, in milliseconds since the epoch. */
  readonly time: number;
  /** How long it took, in milliseconds. */
  readonly duration: number;
  /** The client's address, empty on a Unix socket. */
  readonly remote: string;
  /** Empty when it never came. */
  readonly method: string;
  readonly target: string;
  /** `HTTP/1.1`, or empty. */
  readonly protocol: string;
  /** The status sent, or the one that says why there is none. */
  readonly status: number;
  /** Bytes of content sent, without the framing. */
  readonly bytes: number;
  readonly id: string;
  readonly end: RequestEnd;
  /** Whether what the peer says of the request (traceparent) is to be believed. */
  readonly trusted: boolean;
  /** A field of the request, several joined as a list; the name is in lower case. */
  requestField(name: string): string | undefined;
  /** A field of the answer, as the app set it; the name is in lower case. */
  responseField(name: string): string | undefined;
}
