/**
 * Hooks: functions of the configuration file that run at certain moments of the server's life, gunicorn's by
 * name and moment. A function under one of these names is a hook; under any other it is a mistake.
 */
import type { IncomingMessage } from "node:http";
import type { GatewayRequest, WorkerInfo } from "../gateway/types.ts";

/** Writes to the error log. */
export interface HookLog {
  debug(message: string): void;
  info(message: string): void;
  warning(message: string, error?: unknown): void;
  error(message: string, error?: unknown): void;
  critical(message: string, error?: unknown): void;
}

/** The server, for a hook that runs in the arbiter. */
export interface ServerContext {
  readonly pid: number;
  /** The process name: `--name`, or else the app. */
  readonly name: string;
  /** Where it listens, as URLs; empty before it does. */
  readonly listening: readonly string[];
  /** The newest generation: 1 at the start, one more with each reload. */
  readonly generation: number;
  /** How many workers are wanted. */
  readonly workers: number;
  readonly log: HookLog;
}

/** A worker, for a hook that runs in the arbiter. */
export interface WorkerProcess {
  /** Undefined before it is started, and when it could not be. */
  readonly pid: number | undefined;
  readonly slot: number;
  readonly generation: number;
}

/** A worker that has ended. */
export interface EndedWorker extends WorkerProcess {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Whether it was told to stop; else it crashed. */
  readonly expected: boolean;
}

/** The worker itself, for a hook that runs in it. */
export interface WorkerContext extends WorkerInfo {
  readonly log: HookLog;
}

/** What the worker serves: a request of the gateway, or node's own where a node listener is served. */
export type HookRequest = GatewayRequest | IncomingMessage;

/** What became of a request. */
export interface HookResponse {
  /** Of the head that was sent; undefined where none was. */
  readonly status: number | undefined;
  /** Why the answer did not reach its end: the client went, or the app failed. */
  readonly error: Error | undefined;
}

type Done = void | Promise<void>;

/** The hooks a configuration file may have. One that returns a promise is awaited where it says so. */
export interface Hooks {
  /** In the arbiter, before it binds. Awaited; what it throws ends the start. */
  onStarting(server: ServerContext): Done;
  /** In the arbiter, on a reload, once the configuration is read: the new one's. Awaited; what it throws ends the reload. */
  onReload(server: ServerContext): Done;
  /** In the arbiter, once its sockets are bound, before the first worker is started. Awaited; what it throws ends the start. */
  whenReady(server: ServerContext): Done;
  /** In the arbiter, before a worker is started. Awaited; what it throws counts as that worker's failure to boot. */
  preFork(server: ServerContext, worker: WorkerProcess): Done;
  /** In the worker, before the app is loaded. Awaited; what it throws is a failure to boot. */
  postFork(worker: WorkerContext): Done;
  /** In the worker, when the app is loaded and started, before it accepts. Awaited; what it throws is a failure to boot. */
  postWorkerInit(worker: WorkerContext): Done;
  /** In the worker, when it is told to stop quickly (INT or QUIT). What it throws is logged. */
  workerInt(worker: WorkerContext): Done;
  /** In the worker, when it is ended for a stuck event loop, or by SIGABRT. It runs in the midst of what blocks, and is not awaited. */
  workerAbort(worker: WorkerContext): void;
  /** In the arbiter, on USR2, before the new arbiter is started. Awaited; what it throws ends the upgrade. */
  preExec(server: ServerContext): Done;
  /** In the worker, before each request is given to the app. Awaited; what it throws is answered with 500. */
  preRequest(worker: WorkerContext, request: HookRequest): Done;
  /** In the worker, when the answer has come to its end. What it throws is logged. */
  postRequest(worker: WorkerContext, request: HookRequest, response: HookResponse): Done;
  /** In the arbiter, when a worker's process has ended. What it throws is logged. */
  childExit(server: ServerContext, worker: EndedWorker): Done;
  /** In the worker, behind the app's shutdown. Awaited; what it throws is logged. */
  workerExit(worker: WorkerContext): Done;
  /** In the arbiter, when another number of workers is wanted; at the start the old number is undefined. What it throws is logged. */
  nworkersChanged(server: ServerContext, workers: number, before: number | undefined): Done;
  /** In the arbiter, when everything has ended. Awaited; what it throws is logged. */
  onExit(server: ServerContext): Done;
}

export type HookName = keyof Hooks;

/** Every hook, and the process it runs in. */
export const HOOKS: { readonly [Name in HookName]: "arbiter" | "worker" } = {
  onStarting: "arbiter",
  onReload: "arbiter",
  whenReady: "arbiter",
  preFork: "arbiter",
  postFork: "worker",
  postWorkerInit: "worker",
  workerInt: "worker",
  workerAbort: "worker",
  preExec: "arbiter",
  preRequest: "worker",
  postRequest: "worker",
  childExit: "arbiter",
  workerExit: "worker",
  nworkersChanged: "arbiter",
  onExit: "arbiter",
};

export const HOOK_NAMES = Object.keys(HOOKS) as HookName[];
