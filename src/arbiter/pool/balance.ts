/**
 * Evens out kept connections. Workers take new connections as they come to it, so those that live long stay
 * where they were first accepted: after TTIN the new worker would have none. Each worker hears how many there are
 * on average, and leaves some of a burst to the others when it has more (`server/accept-limiter.ts`). One with far more than
 * its share is asked to let some go; their clients connect anew, and the kernel gives them to whoever is free.
 */
import { type Roster, readyWorkers } from "./roster.ts";

/** What a worker may have beyond the average without being asked: reconnecting costs something too. */
const TOLERATED_SHARE = 0.25;
const TOLERATED_NUMBER = 2;

/** How many connections each worker would have if all had the same, rounded up; undefined for less than two workers. */
export function averageConnections(roster: Roster): number | undefined {
  const ready = readyWorkers(roster);
  return ready.length < 2 ? undefined : Math.ceil(total(ready) / ready.length);
}

function total(ready: Roster): number {
  return ready.reduce((sum, each) => sum + (each.lastBeat?.connections ?? 0), 0);
}

/**
 * How many connections a worker should let go, by the last beat of each; 0 for none. Half of what it has
 * too much at a time, since some will come back to it. Upgraded connections count, but cannot be let go.
 */
export function excessConnections(roster: Roster, id: number): number {
  const ready = readyWorkers(roster);
  const worker = ready.find((each) => each.id === id);
  if (worker?.lastBeat === undefined || ready.length < 2) return 0;
  const average = total(ready) / ready.length;
  const { connections } = worker.lastBeat;
  if (connections <= average * (1 + TOLERATED_SHARE) + TOLERATED_NUMBER) return 0;
  return Math.ceil((connections - average) / 2);
}
