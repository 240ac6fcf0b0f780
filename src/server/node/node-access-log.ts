/**
 * The access log of node's own server, where it is on: a line for each exchange, and for what node gives nobody a
 * response for, the requests that its parser refuses and those that change protocols.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ConnectionEndpoints, UNIX_ENDPOINT } from "../../exchange/endpoint.ts";
import { forwardedId } from "../../exchange/forwarded.ts";
import { ForwardedClients } from "../../exchange/forwarded-client.ts";
import type { ProxyRules } from "../../exchange/proxy-rules.ts";
import { nextRequestNumber, requestId } from "../../exchange/request-id.ts";
import type { Endpoint } from "../../gateway/types.ts";
import type { RequestEnd } from "../../log/access-entry.ts";
import type { AccessLog } from "../../log/access-log.ts";
import { ListenerExchangeLog } from "./listener-exchange-log.ts";
import { isEarlyEnd, isReset, type ParserError, statusOf } from "./parser-error.ts";

/** What the requests of a connection are when it fails. */
export interface Failure {
  /** The one whose content was still coming. */
  readonly exchange: ListenerExchangeLog | undefined;
  /** Whether it is another one, of which something has come. */
  readonly asked: boolean;
  /** Whether nothing else can be in the bytes that came last: an earlier request's content is nobody's to read. */
  readonly alone: boolean;
}

/** So much of a refused request is looked at, in bytes. */
const SHOWN_MAX = 8192;

/** Who is at the other end of a connection. */
interface Client {
  readonly peer: Endpoint;
  readonly clients: ForwardedClients | undefined;
}

export class NodeAccessLog {
  readonly #log: AccessLog;
  readonly #rules: ProxyRules | undefined;
  readonly #clients: ForwardedClients | undefined;
  readonly #connected = new WeakMap<Socket, Client>();
  /** Requests to change protocols that the app has not answered yet. */
  readonly #upgrading = new Set<ListenerExchangeLog>();

  constructor(log: AccessLog, rules: ProxyRules | undefined) {
    this.#log = log;
    this.#rules = rules;
    this.#clients = rules && new ForwardedClients(rules);
  }

  /** A client has connected. Its address is asked for now: a closed socket does not know it any more. */
  connected(socket: Socket, unix: boolean): void {
    const { peer } = new ConnectionEndpoints(socket, unix);
    const clients = this.#rules?.trusts(peer) === true ? this.#clients : undefined;
    this.#connected.set(socket, { peer, clients });
  }

  #clientOf(socket: Socket): Client {
    return this.#connected.get(socket) ?? { peer: UNIX_ENDPOINT, clients: undefined };
  }

  /** A request has come. */
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

  /** The app is given the bare connection of a request. */
  upgrading(request: IncomingMessage, socket: Duplex): void {
    const log = this.begin(request);
    this.#upgrading.add(log);
    log.watchUpgrade(socket, () => this.#upgrading.delete(log));
  }

  /** A request to change protocols was refused. */
  refusedUpgrade(request: IncomingMessage, status: number): void {
    const log = this.begin(request);
    log.because("refused", status);
    log.finish("refused");
  }

  /** A connection failed in node's hands. */
  refused(error: ParserError, socket: Socket, { exchange, asked, alone }: Failure): void {
    const status = statusOf(error);
    const end = endOf(error, status, exchange !== undefined);
    if (exchange !== undefined) {
      exchange.because(end, status);
    } else if (asked) {
      const received = alone ? (error.rawPacket?.toString("latin1", 0, SHOWN_MAX) ?? "") : "";
      const log = new ListenerExchangeLog(this.#log, {
        ...this.#clientOf(socket),
        socket,
        id: requestId(nextRequestNumber()),
        received,
      });
      log.because(end, status);
      log.finish(end);
    }
  }

  /** The process ends. */
  finish(): void {
    for (const log of this.#upgrading) log.finish("worker-exit");
  }
}

function endOf(error: ParserError, status: number, inContent: boolean): RequestEnd {
  if (status === 408) return "timeout";
  return isReset(error) || (inContent && isEarlyEnd(error)) ? "client-gone" : "refused";
}
