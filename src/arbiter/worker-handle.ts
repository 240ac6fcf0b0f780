/** The arbiter's view of one worker: starts its process, speaks to it, ends it, and posts what it does. */
import cluster, { type Worker } from "node:cluster";
import { extname } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { HOOKS, type HookName, type Hooks } from "../config/hooks.ts";
import type { Config } from "../config/settings.ts";
import type { Assignment, BootFailure, FromWorker, Identity, ToWorker } from "../ipc/messages.ts";
import type { ArbiterEvent } from "./event.ts";
import { killTree } from "./kill-tree.ts";
import { readStallReports } from "./stall-reports.ts";

/** The worker's own program, run from the same folder of files as this one: built or source. */
const PROGRAM = fileURLToPath(new URL(`../worker/main${extname(import.meta.filename)}`, import.meta.url));

/** The first descriptor behind standard input, output and error. */
const FIRST_INHERITED = 3;

/** Where node knows it: SIGUSR1 opens no debugger port, not even before a listener for it is there. */
const NO_DEBUGGER = "--disable-sigusr1";

/** What a worker gets to write the lines of the requests that end with it, in milliseconds. */
const LAST_LINES_MS = 50;

/** What systemd tells the arbiter is none of the app's business, which may know the protocol too. */
const NOT_THEIRS = { NOTIFY_SOCKET: undefined, WATCHDOG_USEC: undefined, WATCHDOG_PID: undefined };

export interface Launch {
  readonly id: number;
  readonly slot: number;
  readonly generation: number;
  /** The arbiter's descriptors of the listening sockets. */
  readonly sockets: readonly number[];
  readonly config: Config;
  readonly hooks: Partial<Hooks>;
  readonly identity: Identity;
  readonly standsInFor: BootFailure | undefined;
  /** The folder to start in, links in it not resolved, so that a moved link leads to the new release. */
  readonly folder: string;
  /** Where the error log goes, a file or a descriptor. */
  readonly errorLog: string | number;
  /** Where the access log goes, a file or a descriptor; undefined where there is none. */
  readonly accessLog: string | number | undefined;
}

export class WorkerHandle {
  readonly id: number;
  readonly #worker: Worker;
  readonly #assignment: Assignment<Config>;

  constructor(launch: Launch, post: (event: ArbiterEvent) => void) {
    this.id = launch.id;
    this.#worker = fork(launch);
    const { id } = launch;
    this.#worker.on("message", (message: FromWorker) => post({ type: "message", id, message }));
    this.#worker.on("exit", (code: number | null, signal: NodeJS.Signals | null) => {
      // An empty signal name stands for none.
      post({ type: "exit", id, ending: { code, signal: signal || null } });
    });
    this.#worker.on("error", (error) => {
      if (this.pid === undefined) post({ type: "exit", id, ending: { code: null, signal: null, error } });
    });
    this.#assignment = assignmentOf(launch);
    const reports = this.#worker.process.stdio[this.#assignment.reports] as Readable | null | undefined;
    if (reports) readStallReports(reports, (report) => post({ type: "stall", report }));
  }

  /** Undefined when the process could not be started. */
  get pid(): number | undefined {
    return this.#worker.process.pid;
  }

  /** To be called when the worker says that it listens: what is sent before is lost in its start. */
  assign(): void {
    this.send({ type: "boot", assignment: this.#assignment });
  }

  /** A message to a worker that has just died is lost: its exit is the news. */
  send(message: ToWorker<Config>): void {
    if (!this.#worker.isConnected()) return;
    this.#worker.process.send(message, undefined, undefined, () => {});
  }

  /** Kills it, and what it has started with it. One that `listens` may write the last lines of its access log before. */
  kill(listens: boolean): void {
    const { pid } = this;
    if (pid === undefined) return;
    if (!listens || this.#assignment.accessLog === undefined) {
      void killTree(pid);
      return;
    }
    this.send({ type: "last-lines" });
    setTimeout(() => {
      if (!this.#worker.isDead()) void killTree(pid);
    }, LAST_LINES_MS);
  }
}

function assignmentOf(launch: Launch): Assignment<Config> {
  return {
    slot: launch.slot,
    generation: launch.generation,
    descriptors: launch.sockets.map((_, index) => FIRST_INHERITED + index),
    arbiter: process.pid,
    reports: FIRST_INHERITED + launch.sockets.length,
    errorLog: launch.errorLog,
    accessLog: launch.accessLog,
    identity: launch.identity,
    standsInFor: launch.standsInFor,
    hooks: Object.keys(launch.hooks).filter((name) => HOOKS[name as HookName] === "worker"),
    settings: launch.config,
  };
}

function fork(launch: Launch): Worker {
  const known = process.allowedNodeEnvironmentFlags.has(NO_DEBUGGER);
  cluster.setupPrimary({
    exec: PROGRAM,
    args: [],
    execArgv: known ? [...process.execArgv, NO_DEBUGGER] : process.execArgv,
    cwd: launch.folder,
    // The listening sockets are inherited, so that no connection ever passes through the arbiter.
    stdio: ["ignore", "inherit", "inherit", ...launch.sockets, "pipe", "ipc"],
  });
  return cluster.fork({ ...launch.config.env, ...NOT_THEIRS });
}
