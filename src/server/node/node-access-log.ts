/**
 * The access log of node's server: a line for each exchange, and for the requests without a response object, which node's
 * parser refuses or which change protocols.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ConnectionEndpoints, UNIX_ENDPOINT } from "../../exchange/endpoint.ts";
import { forwardedId } from "../../exchange/forwarded.ts";
import { ForwardedClients } from "../../exchange/forwarded-client.ts";
import type { ProxyRules } from "../../exchange/proxy-rules.ts";
import { nextRequestNumber, requestId } from "../../exchange/request-id.ts";
import type { RequestEnd } from "../../log/access-entry.ts";
import type { AccessLog } from "../../log/access-log.ts";
import { LineMemo } from "../../log/line-memo.ts";
import type { LoggedClient } from "../exchange-log.ts";
import { ListenerExchangeLog } from "./listener-exchange-log.ts";
import { isEarlyEnd, isReset, type ParserError, statusOf } from "./parser-error.ts";

/** The requests of a connection when it fails. */
export interface FailedRequests {
  /** The request whose content was still arriving. */
  readonly exchange: ListenerExchangeLog | undefined;
  /** Whether part of a further request has arrived. */
  readonly hasNext: boolean;
  /** Whether the error's bytes hold nothing but the failed request. Content of an earlier request must not be logged. */
  readonly alone: boolean;
}

/** How much of a refused request is parsed for its line. */
const MAX_PARSED_BYTES = 8192;

export class NodeAccessLog {
  readonly #log: AccessLog;
  readonly #rules: ProxyRules | undefined;
  readonly #clients: ForwardedClients | undefined;
  readonly #connected = new WeakMap<Socket, LoggedClient>();
  /** Upgrades that the app has not answered yet. */
  readonly #upgrading = new Set<ListenerExchangeLog>();

  constructor(log: AccessLog, rules: ProxyRules | undefined) {
    this.#log = log;
    this.#rules = rules;
    this.#clients = rules && new ForwardedClients(rules);
  }

  /** A client has connected. Its address is read now, because a closed socket no longer has it. */
  connected(socket: Socket, unix: boolean): void {
    const { peer } = new ConnectionEndpoints(socket, unix);
    const clients = this.#rules?.trusts(peer) === true ? this.#clients : undefined;
    this.#connected.set(socket, { peer, clients, latest: { walk: undefined }, memo: new LineMemo() });
  }

  #clientOf(socket: Socket): LoggedClient {
    const known = this.#connected.get(socket);
    return (
      known ?? {
        peer: UNIX_ENDPOINT,
        clients: undefined,
        latest: { walk: undefined },
        memo: new LineMemo(),
      }
    );
  }

  /** A request has arrived. */
  begin(request: IncomingMessage, response?: ServerResponse): ListenerExchangeLog {
    const { socket } = request;
    const client = this.#clientOf(socket);
    const trusted = client.clients === undefined ? undefined : this.#rules;
    const id =
      (trusted && forwardedId(request.headers["x-request-id"] as string | undefined, trusted)) ??
      requestId(nextRequestNumber());
    return new ListenerExchangeLog(this.#log, {
      ...client,
      socket,
      id,
      request,
      ...(response && { response }),
    });
  }

  /** The app is given the connection of a request. Returns the request's id. */
  upgrading(request: IncomingMessage, socket: Duplex): string {
    const log = this.begin(request);
    this.#upgrading.add(log);
    log.watchUpgrade(socket, () => this.#upgrading.delete(log));
    return log.id;
  }

  /** An upgrade was refused. */
  refusedUpgrade(request: IncomingMessage, status: number): void {
    const log = this.begin(request);
    log.setReason("refused", status);
    log.finish("refused");
  }

  /** A connection failed, with an error of node's parser or of the socket. */
  failed(error: ParserError, socket: Socket, { exchange, hasNext, alone }: FailedRequests): void {
    const status = statusOf(error);
    const end = endOf(error, status, exchange !== undefined);
    if (exchange !== undefined) {
      exchange.setReason(end, status);
    } else if (hasNext) {
      const received = alone ? (error.rawPacket?.toString("latin1", 0, MAX_PARSED_BYTES) ?? "") : "";
      const log = new ListenerExchangeLog(this.#log, {
        ...this.#clientOf(socket),
        socket,
        id: requestId(nextRequestNumber()),
        received,
      });
      log.setReason(end, status);
      log.finish(end);
    }
  }

  /** Writes the lines of unanswered upgrades. Call when the process ends. */
  finish(): void {
    for (const log of this.#upgrading) log.finish("worker-exit");
  }
}

function endOf(error: ParserError, status: number, inContent: boolean): RequestEnd {
  if (status === 408) return "timeout";
  return isReset(error) || (inContent && isEarlyEnd(error)) ? "client-gone" : "refused";
}
