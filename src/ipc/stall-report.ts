/**
 * What is known about a worker whose main loop does not turn. The watchdog thread writes it while the
 * main thread is blocked, so it is plain data that survives JSON: one line per report.
 */
import type { HeldRequest } from "./request-report.ts";

/** A request that had no complete answer when the report was made. */
export interface StalledRequest {
  readonly method: string;
  readonly target: string;
  readonly id: string;
  /** Milliseconds since it arrived. */
  readonly age: number;
  /** For the access log, where it is on. */
  readonly record?: RecordedRequest;
}

/** A request as its line in the access log needs it, for who writes the line in its worker's place. */
export interface RecordedRequest {
  /** When it arrived, in milliseconds since the epoch. */
  readonly time: number;
  readonly remote: string;
  readonly method: string;
  readonly target: string;
  readonly protocol: string;
  /** What was sent when it was recorded; 0 for no head of an answer. */
  readonly status: number;
  readonly bytes: number;
  readonly id: string;
  readonly trusted: boolean;
  /** The fields that the format names, by their names in lower case. */
  readonly fields: Readonly<Record<string, string>>;
}

/** A process that the worker had started and that was still there. */
export interface ChildProcess {
  readonly pid: number;
  readonly command: string;
}

/** What the kernel says the main thread was doing. */
export type ThreadState = "running" | "waiting" | "uninterruptible" | "stopped" | "unknown";

export interface StallReport {
  /**
   * `stuck`: the loop has not turned for the time allowed. `returned`: the main thread
   * of an earlier report without a stack runs JavaScript again, this is where it went native. `recovered`: the loop turns again.
   * `orphaned`: the parent has gone, the worker ends itself.
   */
  readonly kind: "stuck" | "returned" | "recovered" | "orphaned";
  readonly pid: number;
  /** ISO 8601. */
  readonly time: string;
  /** Milliseconds since the loop last turned, to the watchdog's tick. */
  readonly blockedForMs: number;
  /** JavaScript could not be paused: the main thread was inside a native call (or the inspector is missing). */
  readonly inNative: boolean;
  /** Innermost frame first, as `at name (path:line:column)`; empty when it could not be had. */
  readonly stack: readonly string[];
  /** Absent when it could not be asked: nothing of the main thread can be read inside a native call. */
  readonly inFlight?: readonly StalledRequest[];
  readonly mainThread: ThreadState;
  readonly children: readonly ChildProcess[];
}

/** So many requests of a dead worker are named. */
const MOST_LINES = 20;

const KINDS: readonly unknown[] = ["stuck", "returned", "recovered", "orphaned"];

/** Reads one line written by a watchdog; `undefined` when it is not a whole report. */
export function parseStallReport(line: string): StallReport | undefined {
  let report: unknown;
  try {
    report = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof report !== "object" || report === null) return undefined;
  const { kind, pid, stack, children } = report as Partial<StallReport>;
  const whole =
    KINDS.includes(kind) && Number.isInteger(pid) && Array.isArray(stack) && Array.isArray(children);
  return whole ? (report as StallReport) : undefined;
}

const THREAD_STATES: Record<ThreadState, string> = {
  running: "on the CPU",
  waiting: "waiting in a system call",
  uninterruptible: "waiting for the kernel (a disk, a network file system)",
  stopped: "stopped",
  unknown: "state unknown",
};

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Names that came from a client or another program must not be able to write lines of their own. */
export function printable(text: string): string {
  return text.replace(/[\0-\x1f\x7f-\x9f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

function headline(report: StallReport): string {
  const blocked = seconds(report.blockedForMs);
  switch (report.kind) {
    case "orphaned":
      return `worker ${report.pid}: the arbiter has gone, ending`;
    case "recovered":
      return `worker ${report.pid}: the event loop turns again after ${blocked}`;
    case "returned":
      return `worker ${report.pid}: what blocked the event loop can be seen after ${blocked}, it was called from`;
    case "stuck":
      if (!report.inNative) return `worker ${report.pid}: the event loop has been blocked for ${blocked} at`;
      return (
        `worker ${report.pid}: the event loop has been blocked for ${blocked}, it seems in native code ` +
        `(${THREAD_STATES[report.mainThread]}): no JavaScript stack until it returns`
      );
  }
}

/** The requests that a dead worker took along, for people: indented lines, not too many. */
export function describeHeld(requests: readonly HeldRequest[], now: number): string[] {
  const lines = requests.slice(0, MOST_LINES).map(({ method, target, id, since }) => {
    const age = seconds(Math.max(0, now - since));
    return inFlightLine(method, target, id === undefined ? age : `id ${id}, ${age}`);
  });
  const more = requests.length - lines.length;
  return more > 0 ? [...lines, `  and ${more} more in flight`] : lines;
}

function inFlightLine(method: string, target: string, about: string): string {
  return printable(`  in flight: ${method} ${target} (${about})`);
}

/** The report for people: a headline, then indented lines (frames, requests in flight, child processes). */
export function describeStall(report: StallReport): string[] {
  const lines = [headline(report), ...report.stack.map((frame) => `    ${frame}`)];
  for (const { method, target, id, age } of report.inFlight ?? []) {
    lines.push(inFlightLine(method, target, `id ${id}, ${seconds(age)}`));
  }
  for (const { pid, command } of report.children) lines.push(printable(`  child process ${pid}: ${command}`));
  return lines;
}
