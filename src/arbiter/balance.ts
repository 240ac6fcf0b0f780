/**
 * Evens out kept connections. Workers take new connections as they come to it, so those that live long stay
 * where they were first accepted: after TTIN the new worker would have none. A worker with far more than its share is
 * asked to let some go; their clients connect anew, and the kernel gives them to whoever is free.
 */
import { type Roster, readyWorkers } from "./roster.ts";

/** What a worker may have beyond the average without being asked: reconnecting costs something too. */
const TOLERATED_SHARE = 0.25;
const TOLERATED_NUMBER = 2;

/**
 * How many connections a worker should let go, by the last beat of each; 0 for none. Half of what it has
 * too much at a time, since some will come back to it. Upgraded connections count, but cannot be let go.
 */
export function excessConnections(roster: Roster, id: number): number {
  const ready = readyWorkers(roster);
  const worker = ready.find((each) => each.id === id);
  if (worker?.lastBeat === undefined || ready.length < 2) return 0;
  const total = ready.reduce((sum, each) => sum + (each.lastBeat?.connections ?? 0), 0);
  const average = total / ready.length;
  const { connections } = worker.lastBeat;
  if (connections <= average * (1 + TOLERATED_SHARE) + TOLERATED_NUMBER) return 0;
  return Math.ceil((connections - average) / 2);
}
