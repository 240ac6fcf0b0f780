/** The data of the dashboard: what the page asks for every two seconds, in one response. */
import type { DeathRecord } from "../../records/death-record.ts";
import type { ExitReason } from "../../scoreboard/metrics.ts";
import type { EventReport, HistoryReport, InFlightReport, StatsReport } from "../stats.ts";

/** A worker's end, as a line of a list. */
export interface DeathHeadline {
  /** Names its record. */
  readonly id: string;
  /** ISO 8601. */
  readonly time: string;
  readonly pid: number;
  readonly slot: number;
  readonly reason: ExitReason;
  /** Whether somebody should look at it. */
  readonly isProblem: boolean;
  /** The first line of its story. */
  readonly headline: string;
}

/** GET …/api/deaths/ID */
export interface DeathReport {
  /** What happened, in lines of text. */
  readonly story: string;
  readonly record: DeathRecord;
}

/** GET …/api/session */
export interface Session {
  /** Commands are accepted only with this token, which no other site can read. */
  readonly csrf: string;
  /** Whether the browser has logged in with the token, and so can log out. */
  readonly hasSession: boolean;
}

/** GET …/api/overview?since=TIME */
export interface Overview extends Session {
  readonly stats: StatsReport;
  /** Only the points after TIME, in milliseconds since the epoch. */
  readonly history: HistoryReport;
  readonly requests: readonly InFlightReport[];
  /** The last ones, newest last. */
  readonly events: readonly EventReport[];
  /** The last ones, newest first. */
  readonly deaths: readonly DeathHeadline[];
}

type Series = readonly (number | null)[];

/** Returns the points of `history` after `since`, in milliseconds since the epoch. */
export function historySince(history: HistoryReport, since: number): HistoryReport {
  const found = history.time.findIndex((time) => time > since);
  const start = found === -1 ? history.time.length : found;
  if (start === 0) return history;
  const cut = <Values extends readonly unknown[]>(values: Values): Values =>
    values.slice(start) as unknown as Values;
  const cutEach = (group: Readonly<Record<string, readonly number[]>>): Record<string, readonly number[]> =>
    Object.fromEntries(Object.entries(group).map(([name, values]) => [name, cut(values)]));
  return {
    interval: history.interval,
    time: cut(history.time),
    byClass: cutEach(history.byClass),
    errorRatio: cut(history.errorRatio),
    p50: cut(history.p50),
    p90: cut(history.p90),
    p99: cut(history.p99),
    durations: { bounds: history.durations.bounds, counts: cut(history.durations.counts) },
    queueP99: cut(history.queueP99),
    backlog: cut(history.backlog),
    inFlight: cut(history.inFlight),
    connections: cut(history.connections),
    rejected: cutEach(history.rejected),
    starts: cut(history.starts),
    exits: cutEach(history.exits),
    slots: history.slots.map((slot) => ({
      slot: slot.slot,
      loopUtilization: cut<Series>(slot.loopUtilization),
      loopDelayP99: cut<Series>(slot.loopDelayP99),
      pssBytes: cut<Series>(slot.pssBytes),
      cpu: cut<Series>(slot.cpu),
      gcShare: cut<Series>(slot.gcShare),
    })),
  };
}
