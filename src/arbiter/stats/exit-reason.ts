/** Why a worker ended: one reason out of the table of metrics, and whether somebody should look at it. Pure. */
import type { ExitReason } from "../../scoreboard/metrics.ts";
import type { Ending } from "../event.ts";
import type { WorkerRecord } from "../pool/roster.ts";
import { STOP_SIGNALS } from "../pool/stop-cause.ts";

/** Facts that the roster's record does not have. */
export interface EndFacts {
  /** The server is stopping. */
  readonly isStopping: boolean;
  /** A new arbiter takes its place. */
  readonly isUpgrade: boolean;
  /** V8 ended the process because its heap was full. */
  readonly isHeapExhausted: boolean;
}

export interface WorkerEnd {
  readonly reason: ExitReason;
  /** Why tsgun ended it, in words; null if tsgun did not. */
  readonly orderedFor: string | null;
  /** It was not asked for, or not as it was asked for. */
  readonly isProblem: boolean;
}

/** @param worker its last record in the roster */
export function workerEnd(worker: WorkerRecord, ending: Ending, facts: EndFacts): WorkerEnd {
  const { killedFor, failure, stoppedFor } = worker;
  if (killedFor === "silence") return problem("stuck", `no heartbeat for ${worker.maxSilence / 1000}s`);
  if (failure !== undefined)
    return problem("boot_failed", killedFor === "boot-timeout" ? "the boot timeout" : null);
  if (killedFor === "stop" && stoppedFor === undefined) return stopped(facts);
  if (worker.state !== "draining" && facts.isStopping && isStopSignal(ending)) return stopped(facts);
  if (worker.state !== "draining" || stoppedFor === undefined || !endedAsOrdered(worker, ending))
    return problem(unorderedReason(worker, ending, facts), null);
  if (killedFor === "stop-timeout")
    return problem(
      isOwn(worker) ? stopped(facts).reason : stoppedFor.reason,
      `${stoppedFor.text}, and it did not stop in time`,
    );
  if (isOwn(worker) && !facts.isStopping) {
    const { reason, text } = stoppedFor;
    return problem(reason, reason === "killed" ? null : text);
  }
  // An arbiter that leaves for its successor needs no workers: it scales to none.
  const isReplaced = facts.isUpgrade && stoppedFor.reason === "scale";
  if (isOwn(worker) || stoppedFor.reason === "stop" || isReplaced) return stopped(facts);
  return { reason: stoppedFor.reason, orderedFor: stoppedFor.text, isProblem: false };
}

function stopped({ isUpgrade }: EndFacts): WorkerEnd {
  return isUpgrade
    ? { reason: "upgrade", orderedFor: "an upgrade of the server", isProblem: false }
    : { reason: "stop", orderedFor: "a stop of the server", isProblem: false };
}

function isStopSignal({ signal }: Ending): boolean {
  return signal !== null && STOP_SIGNALS.has(signal);
}

/** It stops without an order of the arbiter. A signal to the whole process group reaches workers first, and means the server. */
function isOwn({ stoppedFor }: WorkerRecord): boolean {
  return stoppedFor?.reason === "killed" || stoppedFor?.reason === "crash";
}

function problem(reason: ExitReason, orderedFor: string | null): WorkerEnd {
  return { reason, orderedFor, isProblem: true };
}

function unorderedReason(worker: WorkerRecord, ending: Ending, facts: EndFacts): ExitReason {
  if (facts.isHeapExhausted) return "heap_oom";
  if (ending.signal === "SIGKILL" || isStopSignal(ending)) return "killed";
  return worker.readyAt === undefined && worker.state === "booting" ? "boot_failed" : "crash";
}

/** Whether a stopping worker ended the way it was ordered to. */
export function endedAsOrdered(worker: WorkerRecord, ending: Ending): boolean {
  return worker.ordered === "kill" || worker.failure !== undefined || ending.code === 0 || endedByApp(ending);
}

/**
 * Whether the app of a drained worker ended it by its own listener of the signal. Many pass the signal on to themselves
 * (Nest), or exit with 128 and its number (Next). Before the drain is over, a signal does not end a worker.
 */
function endedByApp({ code, signal }: Ending): boolean {
  return signal === "SIGTERM" || signal === "SIGINT" || code === 128 + 15 || code === 128 + 2;
}
