/**
 * The main thread's side of the watchdog: starts the thread, beats for it, and publishes the requests in flight. The
 * only cost to a turning loop is a timer that increments a shared counter.
 */
import { SHARE_ENV, Worker } from "node:worker_threads";
import { programUrl, RUNS_SOURCE } from "../../ipc/programs.ts";
import type { StalledRequest } from "../../ipc/stall-report.ts";
import { isDeniedByNode } from "../../system/node-permissions.ts";
import { atExit } from "../last-acts.ts";
import { Heartbeat } from "./heartbeat.ts";
import { BEAT, BOOTED, DETACH } from "./main-thread.ts";
import { ABORT, BEATS, IN_FLIGHT } from "./stack-probe.ts";
import type { ReportSink, ThreadReady, ThreadSettings } from "./thread.ts";

export interface WatchdogOptions {
  /** Report a loop that has not turned for this long; 0: do not watch the loop. */
  readonly stuckAfterMs: number;
  /** Replaces `stuckAfterMs` until `booted` is called. Default: the same. */
  readonly bootStuckAfterMs?: number;
  readonly sink: ReportSink;
  /** A descriptor to read the arbiter's commands from, one line of JSON each. The thread closes it when the arbiter is gone. */
  readonly commands?: number;
  /**
   * The expected parent. The parent itself should pass it: by the time this runs the parent may be gone, and
   * `process.ppid` may name another process. Default: `process.ppid`.
   */
  readonly parentPid?: number;
  /** Interval of checks of the parent; 0: an orphan lives on. Default 500. */
  readonly orphanPollMs?: number;
  /**
   * How long an orphan may take to exit while its loop turns; a blocked one is killed after 500 ms. Default 1250.
   */
  readonly orphanGraceMs?: number;
  /** If the debugger cannot pause the main thread within this time, it is in native code. Default 1000. */
  readonly nativeAfterMs?: number;
  /** Returns the requests without a complete response. Called in the middle of what the main thread does. */
  readonly inFlight?: () => readonly StalledRequest[];
  /** `run` is called once, during a stall that has lasted `afterMs`, if JavaScript is what blocks. */
  readonly abort?: { readonly afterMs: number; run(): void };
  /** The thread could not start or has died; the worker continues without a watchdog. */
  readonly onFailure?: (error: Error) => void;
}

export interface Watchdog {
  /** Resolves when the thread watches; false: without stacks, because there is no inspector. Never rejects. */
  readonly ready: Promise<boolean>;
  /** A debugger is open on this process, so its loop may stand at a breakpoint. */
  readonly debuggerOpen: boolean;
  /** The main thread has booted: from now on `stuckAfterMs` applies. */
  booted(): void;
  /** Writes further reports to `sink` (log files were reopened). */
  redirect(sink: ReportSink): void;
  /** Stops watching for stalls and for the loss of the parent. */
  close(): Promise<void>;
}

const ORPHAN_POLL_MS = 500;
const ORPHAN_GRACE_MS = 1250;
const NATIVE_AFTER_MS = 1000;
/** Limit for the detach, which usually takes 1 ms. */
const DETACH_TIMEOUT_MS = 100;
/** Limit for sending a profile or a heap that was asked for before. */
const LAST_EXAMINATION_MS = 5000;
/** Checks in each `stuckAfterMs`: a report is late by at most that fraction. */
const CHECKS_PER_STALL = 4;
/** Both threads wake so often at rest. */
const MAX_CHECK_INTERVAL_MS = 1000;
const MIN_CHECK_INTERVAL_MS = 10;

function startThread(settings: ThreadSettings): Worker {
  return new Worker(programUrl("worker/watchdog/thread"), {
    workerData: settings,
    // Do not run the app's --import and --require (usually tracing) in this thread, whether from the command line or
    // NODE_OPTIONS. Run from source, the thread needs the loader.
    ...(RUNS_SOURCE ? { env: SHARE_ENV } : { execArgv: [], env: { ...process.env, NODE_OPTIONS: "" } }),
    ...{ name: "tsgun watchdog" },
  });
}

function checkInterval(stuckAfterMs: number): number {
  if (stuckAfterMs === 0) return MAX_CHECK_INTERVAL_MS;
  return Math.max(MIN_CHECK_INTERVAL_MS, Math.min(MAX_CHECK_INTERVAL_MS, stuckAfterMs / CHECKS_PER_STALL));
}

/** Publishes a function for evaluation in the middle of what the main thread does. */
function publish(name: string, value: (() => unknown) | undefined): void {
  if (value === undefined) return;
  Object.defineProperty(globalThis, Symbol.for(name), { value, configurable: true, enumerable: false });
}

class RunningWatchdog implements Watchdog {
  readonly ready: Promise<boolean>;
  readonly #thread: Worker;
  readonly #heartbeat: Heartbeat;
  readonly #beating: NodeJS.Timeout;
  readonly #keepAttached: () => void;

  constructor(
    thread: Worker,
    heartbeat: Heartbeat,
    beating: NodeJS.Timeout,
    inspectorKnown: Promise<void>,
    onFailure: ((error: Error) => void) | undefined,
  ) {
    this.#thread = thread;
    this.#heartbeat = heartbeat;
    this.#beating = beating;
    const threadReady = new Promise<boolean>((resolve) => {
      thread.on("message", (message: ThreadReady | typeof BEAT) => {
        if (message === BEAT) return;
        const { inspector } = message;
        // From here on the thread must not keep the process alive.
        thread.unref();
        resolve(inspector);
      });
      thread.once("exit", () => resolve(false));
    });
    this.ready = inspectorKnown.then(() => threadReady);
    // Without a listener an error of the thread would end the worker.
    thread.on("error", (error) => onFailure?.(error));
    this.#keepAttached = atExit(() => this.#detach());
  }

  /** If an inspector session is open at exit, Node prints that it waits for the debugger. */
  #detach(): void {
    if (!this.#heartbeat.leave()) return;
    this.#thread.postMessage(DETACH);
    // The session ends only while the main thread runs JavaScript, so spin; there is nothing else left to do.
    const begin = performance.now();
    while (this.#heartbeat.attached && performance.now() < begin + this.#detachTimeout());
  }

  #detachTimeout(): number {
    return this.#heartbeat.holding ? LAST_EXAMINATION_MS : DETACH_TIMEOUT_MS;
  }

  get debuggerOpen(): boolean {
    return this.#heartbeat.debuggerOpen;
  }

  booted(): void {
    this.#thread.postMessage(BOOTED);
  }

  redirect(sink: ReportSink): void {
    this.#thread.postMessage(sink);
  }

  async close(): Promise<void> {
    this.#keepAttached();
    clearInterval(this.#beating);
    for (const name of [BEATS, IN_FLIGHT, ABORT]) Reflect.deleteProperty(globalThis, Symbol.for(name));
    await this.#thread.terminate();
  }
}

/** Where Node's permission model allows no threads: nothing is watched, and the arbiter's log says so. */
const NO_WATCHDOG: Watchdog = {
  ready: Promise.resolve(false),
  debuggerOpen: false,
  booted() {},
  redirect() {},
  async close() {},
};

/**
 * Starts watching this process's main thread. Call it once, in the main thread, before the app is loaded.
 * Callers need not wait for `ready`: the thread gets the stack of a loop that is blocked from the start.
 * Only a native call that blocks from the start is reported without one.
 */
export function startWatchdog(options: WatchdogOptions): Watchdog {
  if (isDeniedByNode("worker")) return NO_WATCHDOG;
  const { stuckAfterMs, bootStuckAfterMs = stuckAfterMs, sink, parentPid = process.ppid } = options;
  const checkIntervalMs = checkInterval(Math.min(stuckAfterMs, bootStuckAfterMs));
  const heartbeat = new Heartbeat();
  const { inFlight, abort } = options;
  publish(BEATS, () => heartbeat.beats);
  publish(IN_FLIGHT, inFlight && (() => JSON.stringify(inFlight())));
  publish(ABORT, abort?.run);

  let debuggerUrl: () => string | undefined = () => undefined;
  // The thread knows it in a stack by this name, which no app uses.
  const tsgunWatchdogBeat = (): void => heartbeat.beat(debuggerUrl() !== undefined);
  const beating = setInterval(tsgunWatchdogBeat, checkIntervalMs).unref();
  // Node may be built without the inspector.
  const inspectorKnown = import("node:inspector").then(
    (inspector) => {
      debuggerUrl = inspector.url;
      tsgunWatchdogBeat();
    },
    () => undefined,
  );

  const thread = startThread({
    heartbeat: heartbeat.buffer,
    parentPid,
    orphanPollMs: options.orphanPollMs ?? ORPHAN_POLL_MS,
    orphanGraceMs: options.orphanGraceMs ?? ORPHAN_GRACE_MS,
    stuckAfterMs,
    bootStuckAfterMs,
    abortAfterMs: abort?.afterMs ?? 0,
    nativeAfterMs: options.nativeAfterMs ?? NATIVE_AFTER_MS,
    checkIntervalMs,
    sink,
    commands: options.commands,
    inspectorDenied: isDeniedByNode("inspector"),
    beater: tsgunWatchdogBeat.name,
  });
  thread.on("message", (message: unknown) => {
    if (message === BEAT) tsgunWatchdogBeat();
  });
  return new RunningWatchdog(thread, heartbeat, beating, inspectorKnown, options.onFailure);
}
