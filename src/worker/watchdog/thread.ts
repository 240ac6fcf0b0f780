/**
 * The watchdog thread of a worker. It shares nothing with the main thread but the heartbeat, so whatever
 * blocks that one (a loop, a regular expression, a native call) leaves it free to tell, and to end the
 * process when the arbiter has gone. It writes its reports itself: messages would wait for the main thread.
 */
import { writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { describeStall, type StallReport } from "../../ipc/stall-report.ts";
import { descendants, mainThreadState } from "./child-processes.ts";
import { Heartbeat } from "./heartbeat.ts";
import { BOOTED, DETACH, MainThread, type Snapshot } from "./main-thread.ts";
import { StallClock } from "./stall-clock.ts";

/** Where reports go: lines for people, or one line of JSON each (`parseStallReport` reads it). */
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
  /** In place of that until the main thread says `BOOTED`. */
  readonly bootStuckAfterMs: number;
  readonly nativeAfterMs: number;
  /** 0: nobody is told of the end. */
  readonly abortAfterMs: number;
  readonly lookMs: number;
  readonly sink: ReportSink;
  /** URL of the module that beats: a stack with it in it is the stack of a loop that turns again. */
  readonly beater: string;
}

/** From the thread: the main thread can be paused (or not, and why). */
export interface ThreadReady {
  readonly inspector: boolean;
  readonly reason?: string;
}

const STDERR = 2;
const WRITE_TRIES = 50;
const WRITE_RETRY_MS = 10;
/** A longer pause than this between two looks means that this thread was stopped as well. */
const GAP_LOOKS = 4;
const LEAST_GAP_MS = 1000;
/** An orphan whose loop has not turned for this long will not end by itself. */
const ORPHAN_STALL_MS = 500;
const ORPHAN_LOOK_MS = 50;

const settings = workerData as ThreadSettings;
const heartbeat = new Heartbeat(settings.heartbeat);
const port = parentPort as NonNullable<typeof parentPort>;
let sink = settings.sink;
let mainThread: MainThread | undefined;

/** A pipe may be non-blocking and full. False when it could not be written: its reader is gone (EPIPE), say. */
function writeWhole(fd: number, text: string): boolean {
  const bytes = Buffer.from(text);
  const sleep = new Int32Array(new SharedArrayBuffer(4));
  for (let sent = 0, tries = 0; sent < bytes.length && tries < WRITE_TRIES; ) {
    try {
      sent += writeSync(fd, bytes, sent);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return false;
      tries++;
      Atomics.wait(sleep, 0, 0, WRITE_RETRY_MS);
    }
  }
  return true;
}

/** `[2026-01-31 23:59:59 +0000] [pid] [level]`, the head of gunicorn's error log lines. */
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
  const sent = writeWhole(sink.fd, sink.format === "json" ? `${JSON.stringify(report)}\n` : text());
  // Who would have read it has gone: an orphan still says why it ends.
  if (!sent && sink.format === "json") writeWhole(STDERR, text());
}

let examining = false;
/** A stall that ended while it was examined was never told of: its end is no news either. */
let told = false;

/** The snapshot, unless the loop has turned since: then it would show whoever ran next, not the culprit. */
async function snapshotOf(main: MainThread, beats: number): Promise<Snapshot | undefined> {
  const snapshot = await main.snapshot(() => heartbeat.beats === beats);
  // Paused inside the beat itself: it had not counted yet.
  return snapshot?.scripts.includes(settings.beater) ? undefined : snapshot;
}

function tellStuck(findings: Omit<Findings, "kind">): void {
  told = true;
  publish({ kind: "stuck", ...findings });
}

async function examine(blockedForMs: number, since: number): Promise<void> {
  // Asked first: pausing makes a running thread a waiting one.
  const seen = {
    mainThread: mainThreadState(process.pid),
    children: descendants(process.pid),
  };
  if (mainThread === undefined) {
    tellStuck({ blockedForMs, inNative: true, ...seen });
    return;
  }
  const beats = heartbeat.beats;
  const snapshot = snapshotOf(mainThread, beats);
  const first = await Promise.race([snapshot, delay(settings.nativeAfterMs, "native" as const)]);
  if (first === undefined) return;
  if (first !== "native") {
    const { stack, inFlight } = first;
    tellStuck({ blockedForMs, stack, ...(inFlight && { inFlight }), ...seen });
    return;
  }
  tellStuck({ blockedForMs: performance.now() - since, inNative: true, ...seen });
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

let aborted = false;

/** A main thread that will be ended is told, unless it is in native code: that is waited for already. */
function abortWhenDue(blockedForMs: number): void {
  const { abortAfterMs } = settings;
  if (abortAfterMs === 0 || blockedForMs < abortAfterMs) return;
  if (aborted || examining || mainThread === undefined || heartbeat.debuggerOpen) return;
  aborted = true;
  void mainThread.tellAbort();
}

function watch(): void {
  const gap = Math.max(LEAST_GAP_MS, settings.lookMs * GAP_LOOKS);
  const clock = new StallClock(settings.bootStuckAfterMs, gap, heartbeat.beats, performance.now());
  port.on("message", (message) => {
    if (message === BOOTED) clock.allow(settings.stuckAfterMs);
  });
  const look = (): void => {
    const now = performance.now();
    const { verdict, blockedForMs } = clock.look(heartbeat.beats, now);
    if (verdict === "recovered" && told) {
      told = false;
      publish({ kind: "recovered", blockedForMs });
    }
    if (verdict === "still stuck") abortWhenDue(blockedForMs);
    if (verdict !== "stuck" || heartbeat.debuggerOpen || examining) return;
    examining = true;
    void examine(blockedForMs, now - blockedForMs).finally(() => {
      examining = false;
    });
  };
  setInterval(look, settings.lookMs);
}

function endOrphan(): void {
  publish({ kind: "orphaned", blockedForMs: 0 });
  for (const { pid } of descendants(process.pid)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
  process.kill(process.pid, "SIGKILL");
}

/** A loop that turns learns of its loss by itself and may end in its own way; one that does not, may not. */
async function awaitOrphanEnd(): Promise<void> {
  const stall = new StallClock(ORPHAN_STALL_MS, Number.POSITIVE_INFINITY, heartbeat.beats, performance.now());
  const end = performance.now() + settings.orphanGraceMs;
  while (performance.now() < end) {
    await delay(ORPHAN_LOOK_MS);
    if (stall.look(heartbeat.beats, performance.now()).verdict === "stuck") break;
  }
  endOrphan();
}

function watchParent(): void {
  const look = (): void => {
    if (process.ppid === settings.parentPid) return;
    clearInterval(looking);
    void awaitOrphanEnd();
  };
  const looking = setInterval(look, settings.orphanPollMs);
  look();
}

port.on("message", (next: ReportSink | typeof DETACH | typeof BOOTED) => {
  if (next === BOOTED) return;
  if (next !== DETACH) {
    sink = next;
    return;
  }
  void connected.then(() => {
    mainThread?.disconnect();
    mainThread = undefined;
    heartbeat.attached = false;
  });
});

if (settings.orphanPollMs > 0) watchParent();

async function attach(): Promise<ThreadReady> {
  if (settings.stuckAfterMs === 0) return { inspector: false, reason: "the stall check is off" };
  watch();
  heartbeat.attached = true;
  try {
    mainThread = await MainThread.connect();
    return { inspector: true };
  } catch (error) {
    heartbeat.attached = false;
    return { inspector: false, reason: (error as Error).message };
  }
}

const connected = attach();
port.postMessage(await connected);
