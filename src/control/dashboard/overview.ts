/** The data of the dashboard: what the page asks for every two seconds, in one response. */
import type { DeathReport, EventReport, HistoryReport, InFlightReport, StatsReport } from "../stats.ts";

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
  readonly deaths: readonly DeathReport[];
}
