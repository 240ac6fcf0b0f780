/**
 * Balances long-lived connections. Idle workers accept new connections, and long-lived ones stay where they were
 * accepted: after TTIN the new worker would have none. So each worker has a share. One that holds more leaves new
 * connections to the others (`server/accept-delay.ts`), and if it is far ahead it closes some; their clients connect
 * again.
 */
import { type Roster, readyWorkers } from "./roster.ts";

export interface Balance {
  /** How many connections the worker may hold before it leaves new ones to the others; undefined if there are none. */
  readonly share: number | undefined;
  /** How many kept connections it should close. */
  readonly shed: number;
}

/** A worker that has not reported for this long cannot accept either: its loop is blocked. */
const REPORT_AGE_MS = 1500;

/** The part of the average, and the number, by which a worker may be over it, or ahead of the one with the fewest. */
const TOLERATED_SHARE = 1 / 8;
const TOLERATED_LEAD = 1 / 4;
const TOLERATED_NUMBER = 2;

/** A worker's share at least: the first connections are not worth a wait. */
const MIN_SHARE = 4;

/** The balance that each ready worker is told, by its id. Upgraded connections count but cannot be closed. */
export function balanceOf(roster: Roster, now: number): ReadonlyMap<number, Balance> {
  const ready = readyWorkers(roster);
  const counted = ready.filter(
    ({ lastBeat }) => lastBeat === undefined || now - lastBeat.at <= REPORT_AGE_MS,
  );
  const counts = counted.map(connectionsOf);
  const average = counts.reduce((sum, each) => sum + each, 0) / counts.length;
  const share = Math.max(MIN_SHARE, Math.ceil(average * (1 + TOLERATED_SHARE)));
  const lead = Math.max(TOLERATED_NUMBER, average * TOLERATED_LEAD);
  const fewest = Math.min(...counts);
  return new Map(
    ready.map((worker) => {
      const connections = connectionsOf(worker);
      const isAlone = counted.every(({ id }) => id === worker.id);
      const isAhead = connections - fewest > lead && connections - average >= 1;
      return [
        worker.id,
        {
          share: isAlone ? undefined : share,
          shed: isAhead && !isAlone ? Math.round(connections - average) : 0,
        },
      ];
    }),
  );
}

function connectionsOf({ lastBeat }: Roster[number]): number {
  return lastBeat?.connections ?? 0;
}
