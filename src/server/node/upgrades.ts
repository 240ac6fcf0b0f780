/** Requests to change protocols. Node detaches their connection, which from then on is the app's. */
import type { IncomingMessage } from "node:http";
// Imported, since the global is an accessor, which V8 calls at each use.
import { performance } from "node:perf_hooks";
import type { Duplex } from "node:stream";
import { AppNotCalled } from "../../errors.ts";
import { nextRequestNumber, requestId } from "../../exchange/request-id.ts";
import { requestScope } from "../../exchange/scope.ts";
import type { InFlightGate, ShedReason } from "../in-flight-gate.ts";
import { ObservedRequest, requestsAreObserved } from "../request-channels.ts";
import { RETRY_AFTER } from "../server-options.ts";
import type { TickClock } from "../tick-clock.ts";
import type { ListenerConnection } from "./listener-connection.ts";
import type { ListenerConnections } from "./listener-connections.ts";
import { NodeHead } from "./node-head.ts";
import { refusalOf, upgradeRefusalOf } from "./node-limits.ts";
import type { NodeRequestWatch } from "./node-request-watch.ts";
import type { ServerEventsOptions, UpgradeListener } from "./node-server-options.ts";
import { writeRefusal } from "./parser-error.ts";

export class Upgrades {
  readonly #options: ServerEventsOptions;
  readonly #connections: ListenerConnections;
  readonly #requests: NodeRequestWatch | undefined;
  readonly #clock: TickClock;
  /** How many open connections the app has been given. */
  #open = 0;

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

  /** Gives the connection of an upgrade request to `listener`, or refuses it. */
  upgrade(listener: UpgradeListener, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const connection = this.#connections.get(request.socket);
    if (connection === undefined || !this.#connections.takes(connection)) return;
    if (this.#waits(connection, () => this.upgrade(listener, request, socket, head))) return;
    // A client that disconnects must not end the worker of an app that has no error listener (yet).
    socket.on("error", () => {});
    const { limits, onHeadLimit } = this.#options;
    const status = upgradeRefusalOf(request, limits, onHeadLimit);
    if (status !== undefined) {
      this.#refuse(request, status);
      return;
    }
    const { gate } = this.#options;
    if (gate === undefined || connection.isInternal || gate.spares(request.url ?? ""))
      this.#handOver(listener, connection, request, socket, head);
    else
      this.#awaitPlace(gate, request, socket, () => {
        this.#handOver(listener, connection, request, socket, head);
      });
  }

  /** Waits for a place, which is free again as soon as the listener has been called: an upgraded connection is no request. */
  #awaitPlace(gate: InFlightGate, request: IncomingMessage, socket: Duplex, handOver: () => void): void {
    const visit = gate.visit(performance.now(), undefined);
    const leave = (): void => visit.leave();
    visit.enter({
      run: () => {
        socket.removeListener("close", leave);
        try {
          handOver();
        } finally {
          visit.leave();
        }
      },
      shed: (reason) => this.#refuse(request, 503, reason),
      queued: (milliseconds) => this.#options.meter?.queued(milliseconds),
    });
    if (visit.isWaiting) socket.once("close", leave);
  }

  #handOver(
    listener: UpgradeListener,
    connection: ListenerConnection,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): void {
    connection.upgrade();
    this.#open += 1;
    const id = this.#requests?.upgrading(request, socket) ?? requestId(nextRequestNumber());
    const failed = (error: unknown): void => {
      // An error of the app is uncaught, as under plain node.
      if (!(error instanceof AppNotCalled)) throw error;
      const { method = "", url: target = "" } = request;
      this.#options.onError(error, { method, target, id });
      writeRefusal(socket, 500);
      socket.end();
    };
    const { method = "", url = "" } = request;
    const observed = requestsAreObserved() ? new ObservedRequest(request, method, url, id) : undefined;
    const called: UpgradeListener =
      observed === undefined
        ? listener
        : (...args) => observed.run<undefined, typeof args, unknown>(listener, undefined, ...args);
    try {
      const running: unknown = requestScope().runInAsyncScope(called, undefined, request, socket, head);
      if (running instanceof Promise) running.then(undefined, failed);
    } catch (error) {
      failed(error);
    } finally {
      // The app owns everything that it sends on the connection, its response included.
      observed?.end(undefined);
    }
  }

  /** Refuses CONNECT, for which an app cannot listen. Without a listener node closes the connection silently. */
  refuseConnect(request: IncomingMessage, socket: Duplex): void {
    const connection = this.#connections.get(request.socket);
    if (connection !== undefined) {
      if (!this.#connections.takes(connection)) return;
      if (this.#waits(connection, () => this.refuseConnect(request, socket))) return;
    }
    socket.on("error", () => {});
    const { limits, onHeadLimit } = this.#options;
    this.#refuse(request, refusalOf(request, new NodeHead(), limits, onHeadLimit) ?? 501);
  }

  /** Defers `step` while requests before this one have no response: it writes to the socket, where theirs come first. */
  #waits(connection: ListenerConnection, step: () => void): boolean {
    connection.afterwards = undefined;
    if (!connection.inUse) return false;
    // Node reads nothing more from the socket.
    connection.afterwards = step;
    return true;
  }

  #refuse(request: IncomingMessage, status: number, reason?: ShedReason): void {
    this.#requests?.refusedUpgrade(request, status, reason);
    writeRefusal(request.socket, status, reason && RETRY_AFTER);
    this.#connections.get(request.socket)?.refuse(this.#clock.now);
  }

  connectionClosed(connection: ListenerConnection): void {
    if (connection.upgraded) this.#open -= 1;
  }

  /** Whether no connections are left but those that the app was given and has sent something on. */
  get onlyUpgraded(): boolean {
    if (this.#open < this.#connections.size) return false;
    for (const connection of this.#connections) if (!connection.upgradeAnswered) return false;
    return true;
  }
}
