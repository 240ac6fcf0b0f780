/**
 * The watchdog thread of a worker. It shares only the heartbeat with the main thread, so whatever blocks that (a
 * loop, a regular expression, a native call), the watchdog can still report it, and end the process when the arbiter
 * is gone. It writes its reports itself: messages would wait for the main thread.
 */
import { setTimeout as delay } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { examinationLine } from "../../ipc/examination.ts";
import { describeStall, type StallReport } from "../../ipc/stall-report.ts";
import { mainThreadState } from "../../system/process-state.ts";
import { descendants } from "../../system/process-tree.ts";
import { readCommands } from "./command-reader.ts";
import { Examiner } from "./examiner.ts";
import { Heartbeat } from "./heartbeat.ts";
import { BEAT, BOOTED, DETACH, MainThread, type Snapshot } from "./main-thread.ts";
import { ReportWriter } from "./report-writer.ts";
import { StallClock } from "./stall-clock.ts";

/** Destination of reports: text lines, or one line of JSON each (read by `parseStallReport`). */
export interface ReportSink {
  /** A descriptor that is open in this process: 2, an append-mode log file, a pipe to the arbiter. */
  readonly fd: number;
  readonly format: "text" | "json";
}

export interface ThreadSettings {
  readonly heartbeat: SharedArrayBuffer;
  readonly parentPid: number;
  readonly orphanPollMs: number;
  readonly orphanGraceMs: number;
  readonly stuckAfterMs: number;
  /** Replaces `stuckAfterMs` until the main thread sends `BOOTED`. */
  readonly bootStuckAfterMs: number;
  readonly nativeAfterMs: number;
  /** 0: no abort callback. */
  readonly abortAfterMs: number;
  readonly checkIntervalMs: number;
  readonly sink: ReportSink;
  /** Where the arbiter's commands come from; undefined for no commands. */
  readonly commands: number | undefined;
  /**
   * The main thread has no inspector to connect to. The thread itself, started without the options of the process, may think
   * otherwise, and Node 24 aborts the process at the attempt.
   */
  readonly inspectorDenied: boolean;
  /** Name of the function that beats. A stack that contains it means that the loop turns again. */
  readonly beater: string;
}

/** Sent by the thread: whether it can pause the main thread, and why not. */
export interface ThreadReady {
  readonly inspector: boolean;
  readonly reason?: string;
}

const STDERR = 2;
/** URL of Node's module that calls timers. */
const TIMERS = "node:internal/timers";
/** A longer gap between checks than this many intervals means that this thread was stopped as well. */
const MAX_GAP_CHECKS = 4;
const MIN_GAP_MS = 1000;
/** An orphan whose loop has not turned for this long will not exit on its own. */
const ORPHAN_STALL_MS = 500;
const ORPHAN_CHECK_MS = 50;

const settings = workerData as ThreadSettings;
const heartbeat = new Heartbeat(settings.heartbeat);
const port = parentPort as NonNullable<typeof parentPort>;
let sink = settings.sink;
let mainThread: MainThread | undefined;
const writer = new ReportWriter();

/** Ends this thread by an uncaught error: the main thread logs it, and the worker continues without a watchdog. */
function endThread(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

/** `[2026-01-31 23:59:59 +0000] [pid] [level]`, the prefix of gunicorn's error log lines. */
function lineHead(report: StallReport): string {
  const level = report.kind === "stuck" || report.kind === "orphaned" ? "ERROR" : "WARNING";
  return `[${report.time.slice(0, 19).replace("T", " ")} +0000] [${report.pid}] [${level}]`;
}

type Findings = Pick<StallReport, "kind" | "blockedForMs"> & Partial<StallReport>;

function publish(findings: Findings): void {
  const report: StallReport = {
    pid: process.pid,
    time: new Date().toISOString(),
    inNative: false,
    stack: [],
    mainThread: mainThreadState(process.pid),
    children: [],
    ...findings,
    blockedForMs: Math.round(findings.blockedForMs),
  };
  const text = (): string => `${lineHead(report)} ${describeStall(report).join("\n")}\n`;
  const sent = writer.write(sink.fd, sink.format === "json" ? `${JSON.stringify(report)}\n` : text());
  // The arbiter is gone. An orphan still logs why it ends.
  if (!sent && sink.format === "json") writer.write(STDERR, text());
}

let examining = false;
/** Whether the stall was reported. One that ended during the examination was not, so its end is not reported either. */
let reported = false;

/** Takes a snapshot; undefined if the loop has turned since, because it would show other code than the culprit. */
async function snapshotOf(main: MainThread, beats: number): Promise<Snapshot | undefined> {
  const snapshot = await main.snapshot(() => heartbeat.beats === beats);
  const { beats: then = heartbeat.beats, stack } = snapshot;
  return then !== beats || stack.length === 0 || isBeating(snapshot) ? undefined : snapshot;
}

/** Whether the thread was inside the beat, or on the way to a timer's callback: the loop turns again. */
function isBeating({ functions, scripts }: Snapshot): boolean {
  return functions.includes(settings.beater) || scripts.every((script) => script === TIMERS);
}

function reportStuck(findings: Omit<Findings, "kind">): void {
  reported = true;
  publish({ kind: "stuck", ...findings });
}

/** The state that the kernel reports of the main thread and its children. A paused thread counts as waiting. */
function look(): Pick<StallReport, "mainThread" | "children"> {
  return { mainThread: mainThreadState(process.pid), children: descendants(process.pid) };
}

/** @param beats the count with which the loop was found stuck: once it has changed, that stall is over */
async function examine(beats: number, blockedForMs: number, since: number): Promise<void> {
  const seen = look();
  if (heartbeat.beats !== beats) return;
  if (mainThread === undefined) {
    reportStuck({ blockedForMs, inNative: true, ...seen });
    return;
  }
  const snapshot = snapshotOf(mainThread, beats);
  const first = await Promise.race([snapshot, delay(settings.nativeAfterMs, "native" as const)]);
  if (first === undefined) return;
  if (first !== "native") {
    const { stack, inFlight } = first;
    reportStuck({ blockedForMs, stack, ...(inFlight && { inFlight }), ...seen });
    return;
  }
  // Not paused, so look again: the call may have begun to wait, or to start a child, only since.
  const now = look();
  if (heartbeat.beats === beats) {
    reportStuck({ blockedForMs: performance.now() - since, inNative: true, ...now });
  }
  const late = await snapshot;
  if (late === undefined) return;
  const { stack, inFlight } = late;
  publish({
    kind: "returned",
    blockedForMs: performance.now() - since,
    stack,
    ...(inFlight && { inFlight }),
  });
}

/** The regular checks share a timer, so that the thread wakes once for all. */
const checks = new Set<() => void>();

function startChecks(): void {
  const { stuckAfterMs, checkIntervalMs, orphanPollMs } = settings;
  const intervals = [stuckAfterMs > 0 ? checkIntervalMs : 0, orphanPollMs].filter((each) => each > 0);
  if (intervals.length === 0) return;
  setInterval(
    () => {
      for (const check of checks) check();
    },
    Math.min(...intervals),
  );
}

let aborted = false;

/** Runs the abort callback before the worker is killed; not during an examination, which may wait for native code. */
function abortWhenDue(blockedForMs: number): void {
  const { abortAfterMs } = settings;
  if (abortAfterMs === 0 || blockedForMs < abortAfterMs) return;
  if (aborted || examining || mainThread === undefined || heartbeat.debuggerOpen) return;
  aborted = true;
  mainThread.runAbort().catch(endThread);
}

const clock = new StallClock(
  settings.bootStuckAfterMs,
  Math.max(MIN_GAP_MS, settings.checkIntervalMs * MAX_GAP_CHECKS),
  heartbeat.beats,
  performance.now(),
);

function watch(): void {
  port.on("message", (message) => {
    if (message === BOOTED) clock.setLimit(settings.stuckAfterMs);
  });
  const check = (): void => {
    if (standsStill) return;
    const now = performance.now();
    const { beats } = heartbeat;
    const { verdict, blockedForMs } = clock.check(beats, now);
    if (verdict === "recovered" && reported) {
      reported = false;
      publish({ kind: "recovered", blockedForMs });
    }
    if (verdict === "still stuck") abortWhenDue(blockedForMs);
    if (verdict !== "stuck" || heartbeat.debuggerOpen || examining) return;
    examining = true;
    examine(beats, blockedForMs, now - blockedForMs).then(() => {
      examining = false;
    }, endThread);
  };
  checks.add(check);
}

function endOrphan(): void {
  publish({ kind: "orphaned", blockedForMs: 0 });
  for (const { pid } of descendants(process.pid)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has already exited.
    }
  }
  process.kill(process.pid, "SIGKILL");
}

/**
 * A turning loop notices the lost arbiter itself and gets time to exit; a blocked one is killed. The loop's own beats
 * may be too rare to tell, so it is asked for more.
 */
async function awaitOrphanEnd(): Promise<void> {
  const stall = new StallClock(ORPHAN_STALL_MS, Number.POSITIVE_INFINITY, heartbeat.beats, performance.now());
  const end = performance.now() + settings.orphanGraceMs;
  while (performance.now() < end) {
    port.postMessage(BEAT);
    await delay(ORPHAN_CHECK_MS);
    if (stall.check(heartbeat.beats, performance.now()).verdict === "stuck") break;
  }
  endOrphan();
}

function watchParent(): void {
  const check = (): void => {
    if (process.ppid === settings.parentPid) return;
    checks.delete(check);
    awaitOrphanEnd().catch(endThread);
  };
  checks.add(check);
  check();
}

port.on("message", (next: ReportSink | typeof DETACH | typeof BOOTED) => {
  if (next === BOOTED) return;
  if (next !== DETACH) {
    sink = next;
    return;
  }
  connected
    .then(async () => {
      await examiner.leave();
      mainThread?.disconnect();
      mainThread = undefined;
      heartbeat.attached = false;
    })
    .catch(endThread);
});

if (settings.orphanPollMs > 0) watchParent();
startChecks();

async function attach(): Promise<ThreadReady> {
  watch();
  if (settings.inspectorDenied)
    return {
      inspector: false,
      reason: "Node's permission model denies the inspector: add --allow-inspector",
    };
  try {
    mainThread = await MainThread.connect(() => heartbeat.attach());
    return mainThread === undefined
      ? { inspector: false, reason: "the main thread exits" }
      : { inspector: true };
  } catch (error) {
    heartbeat.attached = false;
    return { inspector: false, reason: (error as Error).message };
  }
}

const connected = attach();

/** A snapshot of the heap is being taken. */
let standsStill = false;

const examiner = new Examiner({
  main: async () => {
    const { reason = "no inspector" } = await connected;
    return mainThread ?? `cannot be examined: ${reason}`;
  },
  debuggerOpen: () => heartbeat.debuggerOpen,
  blockedForMs: () => {
    const standstill = clock.standstill(heartbeat.beats, performance.now());
    // Less than that is the time between two beats.
    return standstill < 2 * settings.checkIntervalMs ? 0 : standstill;
  },
  look,
  isOwn: isBeating,
  standStill: (stands) => {
    standsStill = stands;
    clock.pardon(performance.now());
  },
  hold: (holds) => {
    heartbeat.holding = holds;
  },
  send: (answer) => {
    if (sink.format === "json") writer.write(sink.fd, examinationLine(answer));
  },
});

if (settings.commands !== undefined) {
  const fd = settings.commands;
  readCommands(
    fd,
    (line) => examiner.command(line),
    () => {
      if (sink.fd === fd) sink = { fd: STDERR, format: "text" };
    },
  );
}
connected.then((ready) => port.postMessage(ready), endThread);
