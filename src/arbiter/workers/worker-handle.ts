/** The arbiter's view of one worker: starts its process, speaks to it, ends it, and posts what it does. */

import type { ChildProcess } from "node:child_process";
import cluster from "node:cluster";
import { extname } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { HOOKS, type HookName, type Hooks } from "../../config/hooks.ts";
import type { Config } from "../../config/settings.ts";
import type { Assignment, BootFailure, FromWorker, Identity, ToWorker } from "../../ipc/messages.ts";
import { FIRST_INHERITED_FD } from "../../native/descriptors.ts";
import type { ArbiterEvent } from "../event.ts";
import { appEnvironment, type ChildLaunch, startChild } from "./child-process.ts";
import { HeldRequests } from "./held-requests.ts";
import { killTree } from "./kill-tree.ts";
import { readWorkerReports } from "./worker-reports.ts";

/** The worker's own program, run from the same folder of files as this one: built or source. */
const PROGRAM = fileURLToPath(new URL(`../../worker/main${extname(import.meta.filename)}`, import.meta.url));

/** Where node knows it: SIGUSR1 opens no debugger port, not even before a listener for it is there. */
const NO_DEBUGGER = "--disable-sigusr1";

/** How long the end of a dead worker's pipe is waited for, in milliseconds. It is there at once, unless a child holds the pipe. */
const LAST_REPORTS_MS = 100;

/** What a worker gets to write the lines of the requests that end with it, in milliseconds. */
const LAST_LINES_MS = 50;

export interface WorkerLaunch {
  readonly id: number;
  readonly slot: number;
  readonly generation: number;
  /** The arbiter's descriptors of the listening sockets. */
  readonly sockets: readonly number[];
  readonly config: Config;
  readonly hooks: Partial<Hooks>;
  readonly identity: Identity;
  readonly placeholderFor: BootFailure | undefined;
  /** The folder to start in, links in it not resolved, so that a moved link leads to the new release. */
  readonly folder: string;
  /** Where the error log goes, a file or a descriptor. */
  readonly errorLog: string | number;
  /** Where the access log goes, a file or a descriptor; undefined where there is none. */
  readonly accessLog: string | number | undefined;
}

export class WorkerHandle {
  readonly id: number;
  /** Undefined when the process could not be started. */
  readonly #child: ChildProcess | undefined;
  readonly #assignment: Assignment<Config>;
  /** What was in its hands, as far as it has told. */
  readonly requests = new HeldRequests();

  constructor(launch: WorkerLaunch, post: (event: ArbiterEvent) => void) {
    const { id } = launch;
    this.id = id;
    this.#assignment = assignmentOf(launch);
    this.#child = startChild(childLaunch(launch), (error) => post({ type: "unstarted", id, error }), fork);
    this.#child?.on("message", (message: FromWorker) => post({ type: "message", id, message }));
    const reports = this.#child?.stdio[this.#assignment.reports] as Readable | null | undefined;
    this.#child?.on("exit", (code, signal) => {
      // An empty signal name stands for none.
      whenRead(reports, () => post({ type: "exit", id, ending: { code, signal: signal || null } }));
    });
    if (!reports) return;
    readWorkerReports(reports, {
      stall: (report) => {
        this.requests.handleStall(report);
        post({ type: "stall", report });
      },
      requests: (report) => this.requests.handleReport(report),
    });
  }

  /** Undefined when the process could not be started. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** To be called when the worker says that it listens: what is sent before is lost in its start. */
  assign(): void {
    this.send({ type: "boot", assignment: this.#assignment });
  }

  /** A message to a worker that has just died is lost: its exit is the news. */
  send(message: ToWorker<Config>): void {
    if (this.#child?.connected !== true) return;
    this.#child.send(message, undefined, undefined, () => {});
  }

  /** Kills it, and what it has started with it. One that `listens` may write the last lines of its access log before. */
  kill(listens: boolean): void {
    const child = this.#child;
    if (child === undefined) return;
    if (!listens || this.#assignment.accessLog === undefined) {
      killTree(child);
      return;
    }
    this.send({ type: "last-lines" });
    setTimeout(() => killTree(child), LAST_LINES_MS);
  }
}

/** Calls `then` when what a dead process has written has been read. */
function whenRead(pipe: Readable | null | undefined, then: () => void): void {
  if (!pipe || pipe.destroyed) {
    then();
    return;
  }
  const read = (): void => {
    clearTimeout(timer);
    pipe.off("close", read);
    then();
  };
  const timer = setTimeout(read, LAST_REPORTS_MS);
  pipe.on("close", read);
}

function assignmentOf(launch: WorkerLaunch): Assignment<Config> {
  return {
    slot: launch.slot,
    generation: launch.generation,
    descriptors: launch.sockets.map((_, index) => FIRST_INHERITED_FD + index),
    arbiter: process.pid,
    reports: FIRST_INHERITED_FD + launch.sockets.length,
    errorLog: launch.errorLog,
    accessLog: launch.accessLog,
    identity: launch.identity,
    placeholderFor: launch.placeholderFor,
    hooks: Object.keys(launch.hooks).filter((name) => HOOKS[name as HookName] === "worker"),
    settings: launch.config,
  };
}

function childLaunch({ config, folder, sockets }: WorkerLaunch): ChildLaunch {
  const known = process.allowedNodeEnvironmentFlags.has(NO_DEBUGGER);
  return {
    program: process.execPath,
    args: known ? [...process.execArgv, NO_DEBUGGER] : process.execArgv,
    folder,
    env: appEnvironment(config),
    // The listening sockets are inherited, so that no connection ever passes through the arbiter.
    stdio: ["ignore", "inherit", "inherit", ...sockets, "pipe", "ipc"],
  };
}

/** With node:cluster, which makes the process a cluster worker for the app. */
function fork({ args, folder, env, stdio }: ChildLaunch): ChildProcess {
  cluster.setupPrimary({ exec: PROGRAM, args: [], execArgv: [...args], cwd: folder, stdio: [...stdio] });
  const worker = cluster.fork(env);
  // It hands the errors of its process on, which are heard of there.
  worker.on("error", () => {});
  // Only the end of a process would take it off the list.
  if (worker.process.pid === undefined) delete cluster.workers?.[worker.id];
  return worker.process;
}
