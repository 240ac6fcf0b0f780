/**
 * The access log of node's server: a line for each exchange, and for the requests without a response object, which node's
 * parser refuses or which change protocols.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { ConnectionEndpoints, type KnownEndpoints, UNIX_ENDPOINT } from "../../exchange/endpoint.ts";
import { forwardedId } from "../../exchange/forwarded.ts";
import { ForwardedClients } from "../../exchange/forwarded-client.ts";
import type { ProxyRules } from "../../exchange/proxy-rules.ts";
import { nextRequestNumber, requestId } from "../../exchange/request-id.ts";
import type { RequestEnd } from "../../log/access-entry.ts";
import type { AccessLog } from "../../log/access-log.ts";
import { LineMemo } from "../../log/line-memo.ts";
import type { LoggedClient } from "../exchange-log.ts";
import type { RequestMeter } from "../request-meter.ts";
import { ListenerExchangeLog } from "./listener-exchange-log.ts";
import { NodeRequests } from "./node-request-watch.ts";
import { type ParserError, statusOf } from "./parser-error.ts";

/** How much of a refused request is parsed for its line. */
const MAX_PARSED_BYTES = 8192;

export class NodeAccessLog extends NodeRequests {
  readonly #log: AccessLog;
  readonly #rules: ProxyRules | undefined;
  readonly #clients: ForwardedClients | undefined;
  readonly #connected = new WeakMap<Socket, LoggedClient>();

  constructor(log: AccessLog, rules: ProxyRules | undefined, meter: RequestMeter | undefined) {
    super(meter);
    this.#log = log;
    this.#rules = rules;
    this.#clients = rules && new ForwardedClients(rules);
  }

  /** The client's address is read now, because a closed socket no longer has it. */
  connected(socket: Socket, known: KnownEndpoints): void {
    const { peer } = new ConnectionEndpoints(socket, known);
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

  begin(
    request: IncomingMessage,
    response: ServerResponse | undefined,
    startedAt: number,
  ): ListenerExchangeLog {
    const { socket } = request;
    const client = this.#clientOf(socket);
    const trusted = client.clients === undefined ? undefined : this.#rules;
    const id =
      (trusted && forwardedId(request.headers["x-request-id"] as string | undefined, trusted)) ??
      requestId(nextRequestNumber());
    const logged = { ...client, socket, id, request, ...(response && { response }) };
    return new ListenerExchangeLog(this.#log, logged, this.meter, startedAt);
  }

  protected refused(error: ParserError, socket: Socket, end: RequestEnd, alone: boolean): void {
    const received = alone ? (error.rawPacket?.toString("latin1", 0, MAX_PARSED_BYTES) ?? "") : "";
    const id = requestId(nextRequestNumber());
    const logged = { ...this.#clientOf(socket), socket, id, received };
    const log = new ListenerExchangeLog(this.#log, logged, undefined, performance.now());
    log.setReason(end, statusOf(error));
    log.finish(end);
  }
}
