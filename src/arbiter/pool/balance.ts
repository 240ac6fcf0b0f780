/**
 * Balances long-lived connections. Idle workers accept new connections, and long-lived ones stay where they were
 * accepted: after TTIN the new worker would have none. The arbiter sends each worker the average, and a worker above it
 * leaves part of a burst to the others (`server/accept-limiter.ts`). A worker with far more than its share is told to
 * close some; their clients reconnect, and the kernel gives them to any free worker.
 */
import { type Roster, readyWorkers } from "./roster.ts";

/** Tolerated excess over the average, because reconnecting has a cost too. */
const TOLERATED_SHARE = 0.25;
const TOLERATED_NUMBER = 2;

/** Average number of connections per worker, rounded up; undefined for fewer than two workers. */
export function averageConnections(roster: Roster): number | undefined {
  const ready = readyWorkers(roster);
  return ready.length < 2 ? undefined : Math.ceil(total(ready) / ready.length);
}

function total(ready: Roster): number {
  return ready.reduce((sum, each) => sum + (each.lastBeat?.connections ?? 0), 0);
}

/**
 * How many connections a worker should close, by the last beats; 0 for none. Half of the excess at a time, since some
 * will come back to it. Upgraded connections count but cannot be closed.
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
