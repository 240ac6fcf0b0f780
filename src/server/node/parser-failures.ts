/** Answers what node's parser refuses, and closes connections that have failed. */
import type { Socket } from "node:net";
import { ConnectionEndpoints } from "../../exchange/endpoint.ts";
import { factsOf } from "../front/facts.ts";
import { isStrayHeader } from "../front/stray-header.ts";
import type { TickClock } from "../tick-clock.ts";
import type { ClientErrorListener, ConnectionFailure, ListenerConnection } from "./listener-connection.ts";
import type { ListenerConnections } from "./listener-connections.ts";
import type { NodeRequestWatch } from "./node-request-watch.ts";
import type { ServerEventsOptions } from "./node-server-options.ts";
import {
  contentError,
  isAfterLast,
  isHeadsFull,
  isReset,
  type ParserError,
  statusOf,
  writeRefusal,
} from "./parser-error.ts";

/** Enough to recognise a PROXY header. */
const STRAY_BYTES = 32;

export class ParserFailures {
  readonly #options: ServerEventsOptions;
  readonly #connections: ListenerConnections;
  readonly #requests: NodeRequestWatch | undefined;
  readonly #clock: TickClock;

  constructor(
    options: ServerEventsOptions,
    connections: ListenerConnections,
    requests: NodeRequestWatch | undefined,
    clock: TickClock,
  ) {
    this.#options = options;
    this.#connections = connections;
    this.#requests = requests;
    this.#clock = clock;
  }

  /**
   * Handles an error of the parser or the connection. The requests before it are still answered.
   *
   * @param listener the app's own, which answers instead
   */
  handle(error: ParserError, socket: Socket, listener?: ClientErrorListener): void {
    const connection = this.#connections.get(socket);
    // The parser repeats its error for all further input.
    if (connection === undefined || connection.refused || connection.failure !== undefined) return;
    const alone = !connection.inUse && connection.unread === undefined;
    connection.failure = { error, alone, listener };
    if (isReset(error)) this.#refuse(connection, connection.failure);
    else this.refuseWhenDue(connection);
  }

  /** Refuses what the parser failed on, once all complete requests before it have been answered. */
  refuseWhenDue(connection: ListenerConnection): void {
    const { failure } = connection;
    if (failure === undefined || connection.refused) return;
    const ahead = connection.exchanges().some(({ request }) => request.complete);
    if (!ahead) this.#refuse(connection, failure);
  }

  #refuse(connection: ListenerConnection, { error, alone, listener }: ConnectionFailure): void {
    const { socket, unread } = connection;
    const broken = connection.exchanges().find(({ request }) => !request.complete);
    const status = statusOf(error);
    // A parser error implies that something of a request has arrived, except after a timeout without any byte.
    const begun = isReset(error) ? connection.hasInput : connection.hasReceived;
    this.#requests?.failed(error, socket, {
      exchange: broken?.watch,
      hasNext: begun && unread === undefined && !isAfterLast(error),
      alone,
    });
    if (broken !== undefined) this.#options.onError(contentError(error), broken.name);
    listener?.(error, socket);
    const { response } = broken ?? {};
    const headSent = response?.headersSent === true;
    // Bytes after `Connection: close`, or after a request that has been answered, are not a request.
    const responds = !headSent && !isAfterLast(error) && unread === undefined && begun;
    if (status === 0 || !socket.writable || (headSent && !response.writableEnded)) {
      socket.destroy();
      return;
    }
    // `maxHeaderSize` is the sum of the limits, so the excess need not be in one field. This is the closest limit.
    if (responds && status === 431) this.#options.onHeadLimit?.("fieldSize");
    if (responds && status === 400) this.#reportStrayHeader(error, connection);
    if (responds && listener === undefined) writeRefusal(socket, status);
    // Node's parser frees the memory of a head only with the connection, so that does not linger.
    if (isHeadsFull(error)) socket.destroySoon();
    else if (listener !== undefined) connection.leaveToApp(this.#clock.now);
    else connection.refuse(this.#clock.now);
  }

  #reportStrayHeader({ rawPacket }: ParserError, { socket, known }: ListenerConnection): void {
    const { onStrayHeader } = this.#options;
    if (onStrayHeader === undefined || !isStrayHeader(rawPacket?.toString("latin1", 0, STRAY_BYTES) ?? ""))
      return;
    const { peer } = new ConnectionEndpoints(socket, known);
    onStrayHeader({ peer, isSecond: factsOf(socket)?.proxy !== undefined });
  }
}
