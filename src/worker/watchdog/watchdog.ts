/**
 * The worker's side of its watchdog: starts the thread, beats for it, and answers its one question. All a
 * turning loop pays is a timer that adds to a shared counter.
 */
import { extname } from "node:path";
import { SHARE_ENV, Worker } from "node:worker_threads";
import type { StalledRequest } from "../../ipc/stall-report.ts";
import { Heartbeat } from "./heartbeat.ts";
import { ABORT, BOOTED, DETACH, IN_FLIGHT } from "./main-thread.ts";
import type { ReportSink, ThreadReady, ThreadSettings } from "./thread.ts";

export interface WatchdogOptions {
  /** Milliseconds without a turn of the loop after which it is reported; 0: the loop is not watched. */
  readonly stuckAfterMs: number;
  /** In place of that until `booted` is called. Default: the same. */
  readonly bootStuckAfterMs?: number;
  readonly sink: ReportSink;
  /**
   * Whose child this process has to stay. The one who started it knows best: by the time this runs, the
   * parent may have gone, and `process.ppid` be somebody else's. Default: `process.ppid`.
   */
  readonly parentPid?: number;
  /** Milliseconds between two looks at the parent; 0: an orphan lives on. Default 250. */
  readonly orphanPollMs?: number;
  /**
   * Milliseconds an orphan gets to end by itself, as long as its loop turns; a blocked one is ended at
   * once. Default 1250.
   */
  readonly orphanGraceMs?: number;
  /** Milliseconds in which JavaScript answers a pause, before it is called native code. Default 1000. */
  readonly nativeAfterMs?: number;
  /** The requests without a complete answer: called only while the main thread is paused over a stall. */
  readonly inFlight?: () => readonly StalledRequest[];
  /** Called once, in the midst of a stall that has lasted so many milliseconds, while JavaScript is what blocks. */
  readonly abort?: { readonly afterMs: number; run(): void };
  /** The thread could not start or has died: the worker goes on unwatched. */
  readonly onFailure?: (error: Error) => void;
}

export interface Watchdog {
  /** Resolves when the thread watches; false: without stacks, for want of the inspector. Never rejects. */
  readonly ready: Promise<boolean>;
  /** A debugger may be open on this process, and its loop stand still at a breakpoint. */
  readonly debuggerOpen: boolean;
  /** The main thread has done what it is given less time for. */
  booted(): void;
  /** Reports go here from now on (log files were reopened). */
  redirect(sink: ReportSink): void;
  /** Stops watching: neither stalls nor a lost parent have consequences any more. */
  close(): Promise<void>;
}

const ORPHAN_POLL_MS = 250;
const ORPHAN_GRACE_MS = 1250;
const NATIVE_AFTER_MS = 1000;
/** A millisecond is usual. */
const DETACH_MS = 100;
/** The looks are a fraction of the time allowed, so that a report is late by that fraction at most. */
const LOOKS_PER_STALL = 4;
const SLOWEST_LOOK_MS = 250;
const FASTEST_LOOK_MS = 10;

/** The thread's own program, run from the same folder of files as this one: built or source. */
const KIND = extname(import.meta.url);
const PROGRAM = new URL(`./thread${KIND}`, import.meta.url);

function startThread(settings: ThreadSettings): Worker {
  return new Worker(PROGRAM, {
    workerData: settings,
    // The app's --import and --require, tracing most often, are none of this thread's business, whether they stand
    // on the command line or in NODE_OPTIONS; source needs its loader.
    ...(KIND === ".ts" ? { env: SHARE_ENV } : { execArgv: [], env: { ...process.env, NODE_OPTIONS: "" } }),
    ...{ name: "tsgun watchdog" },
  });
}

function lookInterval(stuckAfterMs: number): number {
  if (stuckAfterMs === 0) return SLOWEST_LOOK_MS;
  return Math.max(FASTEST_LOOK_MS, Math.min(SLOWEST_LOOK_MS, stuckAfterMs / LOOKS_PER_STALL));
}

/** Publishes the requests in flight where a paused main thread can be asked for them. */
function offerInFlight(inFlight: (() => readonly StalledRequest[]) | undefined): void {
  if (inFlight === undefined) return;
  Object.defineProperty(globalThis, Symbol.for(IN_FLIGHT), {
    value: () => JSON.stringify(inFlight()),
    configurable: true,
    enumerable: false,
  });
}

/** Publishes what is to be run in a main thread that will not go on. */
function offerAbort(run: (() => void) | undefined): void {
  if (run === undefined) return;
  Object.defineProperty(globalThis, Symbol.for(ABORT), { value: run, configurable: true, enumerable: false });
}

class RunningWatchdog implements Watchdog {
  readonly ready: Promise<boolean>;
  readonly #thread: Worker;
  readonly #heartbeat: Heartbeat;
  readonly #beating: NodeJS.Timeout;

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
      thread.once("message", ({ inspector }: ThreadReady) => {
        // Until here the process stays for the thread, from here on it must not.
        thread.unref();
        resolve(inspector);
      });
      thread.once("exit", () => resolve(false));
    });
    this.ready = inspectorKnown.then(() => threadReady);
    // Without a listener the thread's failure would be the worker's.
    thread.on("error", (error) => onFailure?.(error));
    process.once("exit", this.#detach);
  }

  /** At an exit with a session open, node tells the standard error that it waits for a debugger. */
  readonly #detach = (): void => {
    if (!this.#heartbeat.attached) return;
    this.#thread.postMessage(DETACH);
    // It takes this thread's help, which it gives while it runs JavaScript; there is nothing else left to do.
    const end = performance.now() + DETACH_MS;
    while (this.#heartbeat.attached && performance.now() < end);
  };

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
    process.off("exit", this.#detach);
    clearInterval(this.#beating);
    Reflect.deleteProperty(globalThis, Symbol.for(IN_FLIGHT));
    Reflect.deleteProperty(globalThis, Symbol.for(ABORT));
    await this.#thread.terminate();
  }
}

/**
 * Starts watching this process's main thread. Call it once, in the main thread, before the app is loaded.
 * There is no need to wait for `ready`: the thread gets the stack of a loop that was blocked from the start;
 * only a native call that blocks from the start is reported without one.
 */
export function startWatchdog(options: WatchdogOptions): Watchdog {
  const { stuckAfterMs, bootStuckAfterMs = stuckAfterMs, sink, parentPid = process.ppid } = options;
  const lookMs = lookInterval(Math.min(stuckAfterMs, bootStuckAfterMs));
  const heartbeat = new Heartbeat();
  offerInFlight(options.inFlight);
  offerAbort(options.abort?.run);

  let debuggerUrl: () => string | undefined = () => undefined;
  const beat = (): void => heartbeat.beat(debuggerUrl() !== undefined);
  const beating = setInterval(beat, lookMs).unref();
  // Node may have been built without it.
  const inspectorKnown = import("node:inspector").then(
    (inspector) => {
      debuggerUrl = inspector.url;
      beat();
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
    abortAfterMs: options.abort?.afterMs ?? 0,
    nativeAfterMs: options.nativeAfterMs ?? NATIVE_AFTER_MS,
    lookMs,
    sink,
    beater: import.meta.url,
  });
  return new RunningWatchdog(thread, heartbeat, beating, inspectorKnown, options.onFailure);
}
