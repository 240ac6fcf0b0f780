/** Why a worker is told to stop, found where the order is given: later the desired state may have moved on. Pure. */
import { type Desired, goalGeneration, slotCount } from "./desired.ts";
import type { StopCause, WorkerRecord } from "./roster.ts";

const STOP: StopCause = { reason: "stop", text: "a stop of the server" };
const SCALE: StopCause = { reason: "scale", text: "a smaller number of workers" };
const RELOAD: StopCause = { reason: "reload", text: "a reload" };

/** Returns the cause of an order that reconcile gives to `worker`. */
export function stopCause(worker: WorkerRecord, desired: Desired): StopCause {
  if (desired.stop !== undefined) return STOP;
  if (worker.expiringFor !== undefined) return worker.expiringFor;
  if (worker.slot > slotCount(desired)) return SCALE;
  if (worker.generation !== goalGeneration(desired)) return RELOAD;
  // Another worker of its slot was ready first: both were started during a reload or a restart.
  return RELOAD;
}

/** Signals that people, terminals and supervisors stop a process with. */
export const STOP_SIGNALS: ReadonlySet<string> = new Set(["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"]);

/** Where a worker stops without an order of the arbiter: `cause` is the signal, or else the app closed its server. */
export function ownStopCause(cause: string): StopCause {
  return STOP_SIGNALS.has(cause)
    ? { reason: "killed", text: `${cause} from outside` }
    : { reason: "crash", text: "its app, which closed its server" };
}
