/** Examinations of a running worker on demand, as the control interface offers them. Times are milliseconds. */
import type { MainThreadView, SlowRequest } from "../ipc/examination.ts";

/** GET /workers/PID/stack */
export interface StackReport extends MainThreadView {
  readonly pid: number;
  readonly slot: number;
}

/** GET /workers/PID/heap: what a snapshot of the heap takes. */
export interface HeapCost {
  readonly pid: number;
  /** The size of the heap's objects. */
  readonly heapBytes: number;
  /** About how large the file is. */
  readonly fileBytes: number;
  /** The memory that it may take until it is written: that of a heap of small objects; others take less. */
  readonly memoryBytes: number;
  /** The memory that is available now. */
  readonly availableBytes: number;
  /** About how long the worker stands still. */
  readonly standstill: number;
}

export interface TracedRequest extends SlowRequest {
  readonly pid: number;
  readonly slot: number;
}

/** GET /trace: the slowest requests of the last minutes, the slowest first. */
export interface TraceReport {
  readonly minutes: number;
  readonly requests: readonly TracedRequest[];
  /** Workers that could not be asked, and why. */
  readonly skipped: readonly { readonly pid: number; readonly slot: number; readonly why: string }[];
}

/** Limits of a profile, in seconds. */
export const PROFILE_SECONDS = { least: 1, most: 300, default: 10 } as const;

/** Limits of a trace, in minutes. */
export const TRACE_MINUTES = { least: 1, most: 5, default: 5 } as const;

/** Longest wait for a native call to return, in seconds. */
export const MAX_STACK_WAIT_SECONDS = 300;

/**
 * Examines workers. All reject with an HttpError: 404 for an unknown pid, 409 if the worker cannot be examined now, 503 if it does
 * not answer or ends.
 */
export interface Examinable {
  /**
   * @param wait how long to wait for a native call to return, for its stack; 0: not at all
   * @param gone aborted when nobody waits any more
   */
  stack(pid: number, wait: number, gone: AbortSignal): Promise<StackReport>;
  /** Returns a profile as DevTools reads it (`.cpuprofile`). */
  profile(pid: number, seconds: number, gone: AbortSignal): Promise<string>;
  heapCost(pid: number, gone: AbortSignal): Promise<HeapCost>;
  /** Takes a snapshot as DevTools reads it (`.heapsnapshot`). Resolves when it begins to come. */
  heap(pid: number, gone: AbortSignal): Promise<AsyncIterable<string>>;
  trace(minutes: number, gone: AbortSignal): Promise<TraceReport>;
}
