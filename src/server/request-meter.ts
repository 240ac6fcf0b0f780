/** The counters of a server. A worker has it count on its page of the scoreboard. */
import type { ErrorType, RejectReason } from "../scoreboard/metrics.ts";

/** How a request came, as bits. None of them: HTTP/1.1 without TLS. */
export const HTTP_1_0 = 1;
export const HTTPS = 2;
export const HTTP_2 = 4;

/** Why a connection ended without a whole request, or was never one. */
export type ConnectionErrorReason =
  | "accept"
  | "evicted"
  | "head_timeout"
  | "incomplete_head"
  | "write_timeout"
  | "tls_handshake"
  | "proxy_header"
  | "protocol"
  | "http2_flood";

export interface RequestMeter {
  /**
   * A request has arrived. Returns its number, for `end` or `drop`.
   * @param startedAt as in `performance.now()`
   * @param protocol bits
   */
  begin(method: string, target: string, startedAt: number, protocol: number): number;
  /**
   * The request has ended.
   *
   * @param status that was sent; 0 if none was
   * @param protocol bits
   * @param milliseconds since it arrived
   * @param route as the app has named it; "" if it has not
   * @param exchange may be asked for its id, which some only find out then
   */
  end(
    number: number,
    method: string,
    status: number,
    protocol: number,
    error: ErrorType,
    milliseconds: number,
    route: string,
    exchange: { readonly id: string | undefined },
  ): void;
  /** The request was refused, so that the app was not called. */
  drop(number: number): void;
  /** A request was refused. Call once for each, whether it has begun or not. */
  rejected(reason: RejectReason): void;
  connectionFailed(reason: ConnectionErrorReason): void;
  /** A request has waited so long in front of the app, in milliseconds. */
  queued(milliseconds: number): void;
}

/** The reason of a refusal by its status; undefined if the client did not send its request in time. */
export function rejectReason(status: number): RejectReason | undefined {
  switch (status) {
    case 408:
      return undefined;
    case 413:
    case 414:
    case 431:
      return "limit";
    case 503:
      return "overload";
    default:
      return "malformed";
  }
}
