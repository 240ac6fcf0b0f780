/**
 * Hooks: functions in the configuration file that run at certain moments of the server's life, with the names and moments
 * of gunicorn's. A function under any other name is an error.
 */
import type { IncomingMessage } from "node:http";
import type { SecureContextOptions } from "node:tls";
import type { GatewayRequest, WorkerInfo } from "../gateway/types.ts";
import type { Config } from "./settings.ts";

/** Writes to the error log. */
export interface HookLog {
  debug(message: string): void;
  info(message: string): void;
  warning(message: string, error?: unknown): void;
  error(message: string, error?: unknown): void;
  critical(message: string, error?: unknown): void;
}

/** The server, passed to hooks that run in the arbiter. */
export interface ServerContext {
  readonly pid: number;
  /** The process name: `--name`, by default the app. */
  readonly name: string;
  /** Listening addresses as URLs; empty until the sockets are bound. */
  readonly listening: readonly string[];
  /** The newest generation: 1 at the start, incremented by each reload. */
  readonly generation: number;
  /** The target number of workers. */
  readonly workers: number;
  readonly log: HookLog;
}

/** A worker, passed to hooks that run in the arbiter. */
export interface WorkerProcess {
  /** Undefined before the worker starts, or if it failed to start. */
  readonly pid: number | undefined;
  readonly slot: number;
  readonly generation: number;
}

/** A worker whose process has exited. */
export interface EndedWorker extends WorkerProcess {
  /** Null if a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Whether it was told to stop; if not, it crashed. */
  readonly expected: boolean;
}

/** The worker itself, passed to hooks that run in it. */
export interface WorkerContext extends WorkerInfo {
  readonly log: HookLog;
}

/** A gateway request, or Node's own if the app is a node listener. */
export type HookRequest = GatewayRequest | IncomingMessage;

/** The outcome of a request. */
export interface HookResponse {
  /** The status sent; undefined if no response head was sent. */
  readonly status: number | undefined;
  /** Why the response was not completed: the client left, or the app failed. */
  readonly error: Error | undefined;
}

/** Makes the options of a certificate's TLS context; `defaults` returns those that follow from the settings. */
export type SslContextHook = (
  settings: Config,
  defaults: () => SecureContextOptions,
) => SecureContextOptions | Promise<SecureContextOptions>;

type Done = void | Promise<void>;

/** The hooks of a configuration file. Promises are awaited only where stated. */
export interface Hooks {
  /** In the arbiter, before it binds. Awaited; an error aborts the start. */
  onStarting(server: ServerContext): Done;
  /** In the arbiter, on a reload, after the new configuration is read (whose hook runs). Awaited; an error aborts the reload. */
  onReload(server: ServerContext): Done;
  /** In the arbiter, after the sockets are bound, before the first worker starts. Awaited; an error aborts the start. */
  whenReady(server: ServerContext): Done;
  /** In the arbiter, before a worker starts. Awaited; an error counts as a boot failure of that worker. */
  preFork(server: ServerContext, worker: WorkerProcess): Done;
  /** In the worker, before the app is loaded. Awaited; an error is a boot failure. */
  postFork(worker: WorkerContext): Done;
  /** In the worker, after the app is loaded and started, before the worker accepts. Awaited; an error is a boot failure. */
  postWorkerInit(worker: WorkerContext): Done;
  /** In the worker, before it accepts, once for each certificate of `--certfile`. Awaited; an error is a boot failure. */
  sslContext: SslContextHook;
  /** In the worker, when it is told to stop quickly (INT or QUIT). Errors are logged. */
  workerInt(worker: WorkerContext): Done;
  /** In the worker, when it is killed for a stuck event loop, or by SIGABRT. Runs on top of the blocking code; not awaited. */
  workerAbort(worker: WorkerContext): void;
  /** In the arbiter, on USR2, before the new arbiter starts. Awaited; an error aborts the upgrade. */
  preExec(server: ServerContext): Done;
  /** In the worker, before each request is passed to the app. Awaited; an error yields a 500 response. */
  preRequest(worker: WorkerContext, request: HookRequest): Done;
  /** In the worker, when the response has ended. Errors are logged. */
  postRequest(worker: WorkerContext, request: HookRequest, response: HookResponse): Done;
  /** In the arbiter, when a worker's process has exited. Errors are logged. */
  childExit(server: ServerContext, worker: EndedWorker): Done;
  /** In the worker, after the app's shutdown. Awaited; errors are logged. */
  workerExit(worker: WorkerContext): Done;
  /** In the arbiter, when the target number of workers changes; `before` is undefined at the start. Errors are logged. */
  nworkersChanged(server: ServerContext, workers: number, before: number | undefined): Done;
  /** In the arbiter, when everything has stopped. Awaited; errors are logged. */
  onExit(server: ServerContext): Done;
}

export type HookName = keyof Hooks;

/** Every hook and the process that runs it. */
export const HOOKS: { readonly [Name in HookName]: "arbiter" | "worker" } = {
  onStarting: "arbiter",
  onReload: "arbiter",
  whenReady: "arbiter",
  preFork: "arbiter",
  postFork: "worker",
  postWorkerInit: "worker",
  sslContext: "worker",
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
