/** The arbiter's handle of one worker process: starts it, sends it messages, kills it, and posts its events. */

import type { ChildProcess } from "node:child_process";
import cluster from "node:cluster";
import type { Duplex, Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { HOOKS, type HookName, type Hooks } from "../../config/hooks.ts";
import type { Config } from "../../config/settings.ts";
import { seal, unseal } from "../../ipc/envelope.ts";
import { parseFromWorker } from "../../ipc/from-worker.ts";
import type { Assignment, BootFailure, Identity, ScoreboardPage, ToWorker } from "../../ipc/messages.ts";
import { programUrl } from "../../ipc/programs.ts";
import type { AssignedTls } from "../../ipc/tls-material.ts";
import type { SinkTarget } from "../../log/line-sink.ts";
import { FIRST_INHERITED_FD } from "../../native/descriptors.ts";
import type { ArbiterEvent } from "../event.ts";
import type { Listener } from "../sockets/bind.ts";
import { appEnvironment, type ChildLaunch, settingsForApp, startChild } from "./child-process.ts";
import { ExaminationChannel } from "./examination-channel.ts";
import { killTree } from "./kill-tree.ts";
import { LastSigns } from "./last-signs.ts";
import { RequestsInFlight } from "./requests-in-flight.ts";
import { readWorkerReports } from "./worker-reports.ts";

const PROGRAM = fileURLToPath(programUrl("worker/main"));

/** For Nodes that know it: SIGUSR1 opens no debugger port, not even before the worker listens for the signal. */
const NO_DEBUGGER = "--disable-sigusr1";

/** Maximum wait for the end of a dead worker's pipe. It comes at once, unless a child of the worker holds the pipe. */
const LAST_REPORTS_TIMEOUT_MS = 100;

/** Time for a worker to log the requests that are killed with it. */
const LAST_LINES_TIMEOUT_MS = 50;

export interface WorkerLaunch {
  readonly id: number;
  readonly slot: number;
  readonly generation: number;
  readonly watchesBoot: boolean;
  /** The listening sockets, with the arbiter's descriptors. */
  readonly sockets: readonly Pick<Listener, "descriptor" | "url">[];
  readonly config: Config;
  readonly hooks: Partial<Hooks>;
  readonly identity: Identity;
  readonly placeholderFor: BootFailure | undefined;
  readonly tls: AssignedTls | undefined;
  /** Flags of V8's heap limit; none for Node's own. */
  readonly heapFlags: readonly string[];
  /** Working directory, symbolic links not resolved, so that a link that was moved leads to the new release. */
  readonly folder: string;
  /** The worker's page, with the arbiter's descriptor; undefined for none. */
  readonly scoreboard: ScoreboardPage | undefined;
  /** The arbiter's descriptor of the file for Node's reports on an exhausted heap; undefined for none. */
  readonly heapReports: number | undefined;
  readonly errorLog: SinkTarget;
  /** Undefined if there is no access log. */
  readonly accessLog: SinkTarget | undefined;
}

export class WorkerHandle {
  readonly id: number;
  /** Undefined if the process could not be started. */
  readonly #child: ChildProcess | undefined;
  readonly #assignment: Assignment<Config>;
  /** Its requests in flight, as far as reported. */
  readonly requests = new RequestsInFlight();
  readonly examinations = new ExaminationChannel((line) => this.#writeCommand(line));
  /** Signs of why it may end. */
  readonly signs = new LastSigns();
  /** Its program has sent a message. */
  hasBegun = false;

  /** Whether its watchdog watches its boot. */
  get watchesBoot(): boolean {
    return this.#assignment.watchesBoot;
  }

  /** The keys of session tickets that it began with; undefined without TLS. */
  get firstTicketKeys(): string | undefined {
    return this.#assignment.tls?.ticketKeys;
  }

  constructor(launch: WorkerLaunch, post: (event: ArbiterEvent) => void) {
    const { id } = launch;
    this.id = id;
    this.#assignment = assignmentOf(launch);
    this.#child = startChild(childLaunch(launch), (error) => post({ type: "unstarted", id, error }), fork);
    this.#child?.on("message", (received) => {
      const message = parseFromWorker(unseal(received));
      if (message === undefined) return;
      this.hasBegun = true;
      post({ type: "message", id, message });
    });
    const reports = this.#reports;
    this.#child?.on("exit", (code, signal) => {
      whenRead(reports, () => {
        this.examinations.close();
        // Node reports an empty signal name for none.
        post({ type: "exit", id, ending: { code, signal: signal || null } });
      });
    });
    if (!reports) return;
    readWorkerReports(reports, {
      stall: (report) => {
        // An app may write of other processes than its own.
        if (report.pid !== this.pid) return;
        this.requests.handleStall(report);
        this.signs.handleStall(report);
        post({ type: "stall", report });
      },
      requests: (report) => this.requests.handleReport(report),
      examined: (answer) => this.examinations.handle(answer),
      lastWords: (words) => this.signs.handleWords(words),
    });
  }

  /** The socket pair of its reports, and of the commands to its watchdog. */
  get #reports(): Duplex | null | undefined {
    return this.#child?.stdio[this.#assignment.reports] as Duplex | null | undefined;
  }

  #writeCommand(line: string): void {
    const reports = this.#reports;
    if (reports?.writable === true) reports.write(line);
  }

  /** Undefined if the process could not be started. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Call once the worker reports that it listens: messages sent earlier are lost. */
  assign(): void {
    this.send({ type: "boot", assignment: this.#assignment });
  }

  /** A message to a worker that has just died is lost; its exit event follows. */
  send(message: ToWorker<Config>): void {
    if (this.#child?.connected !== true) return;
    this.#child.send(seal(message), undefined, undefined, () => {});
  }

  /**
   * Kills the process and its descendants.
   *
   * @param isResponsive give it time to write the last lines of its access log
   */
  kill(isResponsive: boolean): void {
    const child = this.#child;
    if (child === undefined) return;
    if (!isResponsive || this.#assignment.accessLog === undefined) {
      killTree(child);
      return;
    }
    this.send({ type: "last-lines" });
    setTimeout(() => killTree(child), LAST_LINES_TIMEOUT_MS);
  }
}

/** Calls `then` once everything that a dead process wrote to the pipe has been read. */
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
  const timer = setTimeout(read, LAST_REPORTS_TIMEOUT_MS);
  pipe.on("close", read);
}

function assignmentOf(launch: WorkerLaunch): Assignment<Config> {
  const { scoreboard } = launch;
  const reports = FIRST_INHERITED_FD + launch.sockets.length;
  const next = reports + (scoreboard === undefined ? 1 : 2);
  return {
    slot: launch.slot,
    generation: launch.generation,
    descriptors: launch.sockets.map((_, index) => FIRST_INHERITED_FD + index),
    address: launch.sockets[0]?.url ?? "",
    arbiter: process.pid,
    reports,
    scoreboard: scoreboard && { ...scoreboard, descriptor: reports + 1 },
    heapReports: launch.heapReports === undefined ? undefined : next,
    errorLog: launch.errorLog,
    accessLog: launch.accessLog,
    identity: launch.identity,
    placeholderFor: launch.placeholderFor,
    watchesBoot: launch.watchesBoot,
    tls: launch.tls,
    hooks: Object.keys(launch.hooks).filter((name) => HOOKS[name as HookName] === "worker"),
    settings: settingsForApp(launch.config),
  };
}

function childLaunch(launch: WorkerLaunch): ChildLaunch {
  const { config, folder, sockets, scoreboard, heapReports, heapFlags } = launch;
  const listeners = sockets.map(({ descriptor }) => descriptor);
  const shared = [scoreboard?.descriptor, heapReports].filter((descriptor) => descriptor !== undefined);
  const isKnown = process.allowedNodeEnvironmentFlags.has(NO_DEBUGGER);
  return {
    program: process.execPath,
    args: [...process.execArgv, ...(isKnown ? [NO_DEBUGGER] : []), ...heapFlags],
    folder,
    env: appEnvironment(config),
    // Workers inherit the listening sockets, so that no connection passes through the arbiter.
    stdio: ["ignore", "inherit", "inherit", ...listeners, "pipe", ...shared, "ipc"],
  };
}

/** Forks with node:cluster, so that the app sees a cluster worker. */
function fork({ args, folder, env, stdio }: ChildLaunch): ChildProcess {
  cluster.setupPrimary({ exec: PROGRAM, args: [], execArgv: [...args], cwd: folder, stdio: [...stdio] });
  const worker = cluster.fork(env);
  // The process reports its errors itself; the cluster worker repeats them.
  worker.on("error", () => {});
  // Node removes a worker from its list at exit only, and this process has never run.
  if (worker.process.pid === undefined) delete cluster.workers?.[worker.id];
  return worker.process;
}
