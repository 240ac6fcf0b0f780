/** The server of a worker, the same for the engine and for Node's http.Server. */

import type { Server } from "node:net";
import type { RecordedRequest } from "../ipc/stall-report.ts";

/** A request without a complete response. */
export interface InFlightRequest {
  readonly method: string;
  readonly target: string;
  readonly id: string;
  /** Age in milliseconds. */
  readonly age: number;
  /** The client's address. */
  readonly remote?: string;
  /** Content received so far; absent if it is not counted. */
  readonly bytesReceived?: number;
  /** Content of the response sent so far; absent if it is not counted. */
  readonly bytesSent?: number;
  /** For the access log; undefined without one. */
  readonly record?: RecordedRequest;
}

/** How many connections are in each state. */
export interface ConnectionStates {
  /** With a request that has no complete response. */
  readonly active: number;
  readonly idle: number;
  /** Handed over to the app. */
  readonly upgraded: number;
}

export interface WorkerServer {
  /** Serves on another socket. `listen` must make the given server listen on it. */
  open(listen: (server: Server) => Promise<void>): Promise<void>;
  /**
   * Accepts connections on a listening socket that this process inherited.
   *
   * @param backlog connections that the kernel holds until they are accepted
   * @throws FatalError if the descriptor is not a listening socket
   */
  listen(fd: number, backlog?: number): Promise<void>;
  /** Open connections, idle ones included. */
  readonly connections: number;
  connectionStates(): ConnectionStates;
  /** Responses completed since the start. */
  readonly requests: number;
  /** Calls back once, after `count` more completed responses. A later call replaces an earlier one. */
  afterRequests(count: number, callback: () => void): void;
  /**
   * Sends `Connection: close` with this number of the next responses, so that their clients reconnect, possibly to
   * another worker. A later call replaces an earlier one.
   */
  shed(connections: number): void;
  inFlight(): InFlightRequest[];
  /** Writes the access log lines of the requests in flight. Call when the process exits before they are answered. */
  logUnfinished(): void;
  /**
   * Stops accepting, responds to requests in flight with `Connection: close`, and closes idle connections after
   * `lingerMs`. Resolves when the last connection is closed and the last handler has settled. The caller must limit the
   * time.
   *
   * @param onlyUpgraded called once only connections handed over to the app are left
   */
  drain(lingerMs: number, onlyUpgraded?: () => void): Promise<void>;
  /** Destroys every connection at once. */
  destroy(): void;
}
