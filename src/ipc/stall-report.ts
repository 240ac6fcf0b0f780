/**
 * The report on a worker whose event loop is blocked. The watchdog thread writes it while the main thread is blocked, so
 * it is plain data that survives JSON, one line per report.
 */
import type { RequestInFlight } from "./request-report.ts";

/** A request without a complete response at the time of the report. */
export interface StalledRequest {
  readonly method: string;
  readonly target: string;
  readonly id: string;
  /** Milliseconds since arrival. */
  readonly age: number;
  /** For the access log, if there is one. */
  readonly record?: RecordedRequest;
}

/** The data of a request's access log line, for a process that writes the line in place of the worker. */
export interface RecordedRequest {
  /** Arrival, in milliseconds since the epoch. */
  readonly time: number;
  readonly remote: string;
  readonly method: string;
  readonly target: string;
  readonly protocol: string;
  /** Status sent so far; 0 if no response head was sent. */
  readonly status: number;
  readonly bytes: number;
  readonly id: string;
  readonly trusted: boolean;
  /** The fields that the format uses, by lower-case name. */
  readonly fields: Readonly<Record<string, string>>;
}

/** A running process that the worker had started. */
export interface ChildProcess {
  readonly pid: number;
  readonly command: string;
}

/** The activity of the main thread, according to the kernel. */
export type ThreadState = "running" | "waiting" | "uninterruptible" | "stopped" | "unknown";

export interface StallReport {
  /**
   * `stuck`: the loop has not turned for the time allowed. `returned`: after a report without a stack, the main thread
   * runs JavaScript again; the stack shows where it called native code. `recovered`: the loop turns again. `orphaned`:
   * the parent has gone, the worker ends itself.
   */
  readonly kind: "stuck" | "returned" | "recovered" | "orphaned";
  readonly pid: number;
  /** ISO 8601. */
  readonly time: string;
  /** Milliseconds since the loop last turned, with the resolution of the watchdog's tick. */
  readonly blockedForMs: number;
  /** JavaScript could not be paused: the main thread was in a native call (or the inspector is missing). */
  readonly inNative: boolean;
  /** Innermost frame first, as `at name (path:line:column)`; empty if unavailable. */
  readonly stack: readonly string[];
  /** Absent if unavailable: the main thread's state cannot be read during a native call. */
  readonly inFlight?: readonly StalledRequest[];
  readonly mainThread: ThreadState;
  readonly children: readonly ChildProcess[];
}

/** Number of a dead worker's requests that are listed. */
const MAX_LISTED_REQUESTS = 20;

const KINDS: readonly unknown[] = ["stuck", "returned", "recovered", "orphaned"];

/**
 * Parses one line written by a watchdog; returns undefined if it is not a complete report. The app can write to the pipe as
 * well, so every member is checked, and every text and list cut to its bound.
 */
export function parseStallReport(line: string): StallReport | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const { kind, pid, stack, children, inFlight, ...rest } = members(value);
  const isComplete =
    KINDS.includes(kind) && Number.isInteger(pid) && Array.isArray(stack) && Array.isArray(children);
  if (!isComplete) return undefined;
  return {
    kind: kind as StallReport["kind"],
    pid: pid as number,
    time: text(rest.time),
    blockedForMs: amount(rest.blockedForMs),
    inNative: rest.inNative === true,
    stack: stack.slice(0, MAX_FRAMES).map(text),
    ...(Array.isArray(inFlight) && { inFlight: inFlight.slice(0, MAX_REQUESTS).map(stalledRequest) }),
    mainThread: isThreadState(rest.mainThread) ? rest.mainThread : "unknown",
    children: children.slice(0, MAX_CHILDREN).map((each) => {
      const child = members(each);
      return { pid: amount(child.pid), command: text(child.command) };
    }),
  };
}

function stalledRequest(value: unknown): StalledRequest {
  const { method, target, id, age, record } = members(value);
  return {
    method: text(method),
    target: text(target),
    id: text(id),
    age: amount(age),
    ...(typeof record === "object" && record !== null && { record: recordedRequest(members(record)) }),
  };
}

function recordedRequest(record: Members): RecordedRequest {
  const fields = Object.entries(members(record.fields)).slice(0, MAX_FIELDS);
  return {
    time: Math.min(amount(record.time), MAX_TIME),
    remote: text(record.remote),
    method: text(record.method),
    // As the worker itself would have logged it.
    target: whole(record.target),
    protocol: text(record.protocol),
    status: amount(record.status),
    bytes: amount(record.bytes),
    id: text(record.id),
    trusted: record.trusted === true,
    fields: Object.fromEntries(fields.map(([name, value]) => [name, whole(value)])),
  };
}

/** The last millisecond that a Date can be. */
const MAX_TIME = 8.64e15;
const MAX_TEXT = 2000;
const MAX_FRAMES = 200;
const MAX_REQUESTS = 10_000;
const MAX_CHILDREN = 100;
const MAX_FIELDS = 100;

type Members = Readonly<Record<string, unknown>>;

function members(value: unknown): Members {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Members) : {};
}

function whole(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function text(value: unknown): string {
  return whole(value).slice(0, MAX_TEXT);
}

function amount(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : 0;
}

function isThreadState(value: unknown): value is ThreadState {
  return typeof value === "string" && Object.hasOwn(THREAD_STATES, value);
}

const THREAD_STATES: Record<ThreadState, string> = {
  running: "on the CPU",
  waiting: "waiting in a system call",
  uninterruptible: "waiting for the kernel (a disk, a network file system)",
  stopped: "stopped",
  unknown: "state unknown",
};

/** The kernel's view of a thread, in words. */
export function nameThreadState(state: ThreadState): string {
  return THREAD_STATES[state];
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Escapes control characters: text from a client or another program must not be able to forge a log line. */
export function printable(text: string): string {
  return text.replace(/[\0-\x1f\x7f-\x9f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

function headline(report: StallReport): string {
  const blocked = seconds(report.blockedForMs);
  switch (report.kind) {
    case "orphaned":
      return `worker ${report.pid}: the arbiter is gone, exiting`;
    case "recovered":
      return `worker ${report.pid}: the event loop runs again after ${blocked}`;
    case "returned":
      return `worker ${report.pid}: the native call that blocked the event loop returned after ${blocked}; it was called from`;
    case "stuck":
      if (!report.inNative) return `worker ${report.pid}: the event loop has been blocked for ${blocked} at`;
      return (
        `worker ${report.pid}: the event loop has been blocked for ${blocked}, probably in native code ` +
        `(${THREAD_STATES[report.mainThread]}): no JavaScript stack until it returns`
      );
  }
}

/** Lists the requests that a dead worker lost, for people: indented lines, a bounded number. */
export function describeInFlight(requests: readonly RequestInFlight[], now: number): string[] {
  const lines = requests.slice(0, MAX_LISTED_REQUESTS).map(({ method, target, id, since }) => {
    const age = seconds(Math.max(0, now - since));
    return inFlightLine(method, target, id === undefined ? age : `id ${id}, ${age}`);
  });
  const more = requests.length - lines.length;
  return more > 0 ? [...lines, `  and ${more} more in flight`] : lines;
}

function inFlightLine(method: string, target: string, about: string): string {
  return printable(`  in flight: ${method} ${target} (${about})`);
}

/** Formats the report for people: a headline, then indented lines (frames, requests in flight, child processes). */
export function describeStall(report: StallReport): string[] {
  const lines = [headline(report), ...report.stack.map((frame) => printable(`    ${frame}`))];
  for (const { method, target, id, age } of report.inFlight ?? []) {
    lines.push(inFlightLine(method, target, `id ${id}, ${seconds(age)}`));
  }
  for (const { pid, command } of report.children) lines.push(printable(`  child process ${pid}: ${command}`));
  return lines;
}
