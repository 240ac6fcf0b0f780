/** How a request to stop changes the desired state. A repeated request hastens the stop: graceful, quick, kill. */
import { ExitCode } from "../../errors.ts";
import type { Desired, Stop } from "./desired.ts";
import { GROUP_SIGNAL_MS } from "./spawn-holds.ts";

/** Requests closer together than this are one: npm passes on a signal that the process group has received anyway. */
const SAME_REQUEST_MS = 500;

const RANKS = { graceful: 1, quick: 2, kill: 3 } as const;

/**
 * Stops the server, or hastens a stop under way; a gentler mode than the current one is ignored. The first request waits
 * `delay` milliseconds before the workers are told, a second one does not.
 */
export function withStop(desired: Desired, mode: Stop["mode"], now: number, delay = 0): Desired {
  const { stop } = desired;
  if (stop === undefined) {
    const isGroupSignal = now - desired.signalledAt < GROUP_SIGNAL_MS;
    const beginAt = isGroupSignal ? now : now + delay;
    return {
      ...desired,
      stop: { mode, requestedAt: now, beginAt, exitCode: ExitCode.ok, reason: undefined },
    };
  }
  const beginAt = Math.min(now, stop.beginAt);
  if (RANKS[mode] > RANKS[stop.mode]) {
    return { ...desired, stop: { ...stop, mode, requestedAt: now, beginAt } };
  }
  if (now - stop.requestedAt < SAME_REQUEST_MS) return desired;
  return { ...desired, stop: { ...stop, requestedAt: now, beginAt } };
}

/** The mode that a request for a graceful stop means now: repeated, it means quick, then kill. */
export function hastenedStop(desired: Desired, now: number): Stop["mode"] {
  const { stop } = desired;
  if (stop === undefined) return "graceful";
  // A second request while the drain is delayed begins the drain.
  if (now - stop.requestedAt < SAME_REQUEST_MS || now < stop.beginAt) return stop.mode;
  return stop.mode === "graceful" ? "quick" : "kill";
}
