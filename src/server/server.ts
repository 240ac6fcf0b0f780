/**
 * What a worker needs of whatever serves its app: the gateway engine and node's own http.Server look
 * the same from here.
 */

import type { Server } from "node:net";
import type { RecordedRequest } from "../ipc/stall-report.ts";

/** A request that has reached the worker and has no complete answer yet. */
export interface InFlightRequest {
  readonly method: string;
  readonly target: string;
  readonly id: string;
  /** Age in milliseconds. */
  readonly age: number;
  /** For the access log, where it is on. */
  readonly record?: RecordedRequest;
}

/** Called when a request comes; what it returns, when the request is over. */
export type RequestWatcher = (method: string, target: string) => () => void;

export interface WorkerServer {
  /** Serves on one more socket; `listen` makes the server it is given listen there. */
  open(listen: (server: Server) => Promise<void>): Promise<void>;
  /**
   * Accepts connections on a listening socket that another process bound and this one inherited;
   * `backlog` is how many the kernel may hold until then. Throws `FatalError` when the descriptor is not a listening socket.
   */
  listen(fd: number, backlog?: number): Promise<void>;
  /** Open connections, idle ones included. */
  readonly connections: number;
  /** Answers completed since the start. */
  readonly requests: number;
  /** Calls back once, when so many more answers have been completed; a later call replaces an earlier one. */
  afterRequests(answers: number, then: () => void): void;
  /**
   * Answers this many of the next requests with `Connection: close`, so that their clients connect anew,
   * perhaps to another worker. A later call replaces an earlier one.
   */
  shed(connections: number): void;
  inFlight(): InFlightRequest[];
  /** Tells of each request that comes from now on; undefined ends that. */
  watchRequests(watch: RequestWatcher | undefined): void;
  /** The process ends: the requests in flight, which will not be answered any more, get their lines in the access log. */
  logUnfinished(): void;
  /**
   * Stops accepting, answers what is there with `Connection: close`, closes idle connections after
   * `lingerMs`, and resolves when the last connection has gone and what has been answered does not
   * work on. No time limit: the caller has one.
   * @param onlyUpgraded called once nothing is left but connections that the app has taken over
   */
  drain(lingerMs: number, onlyUpgraded?: () => void): Promise<void>;
  /** Destroys every connection at once. */
  destroy(): void;
}
