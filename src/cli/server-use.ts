/** The memory, CPU and load of a server and its workers, as `tsgun ps` and `tsgun ctl workers` show them. */
import { requestControl } from "../control/control-client.ts";
import type { LastExit, StatsReport, WorkerStats } from "../control/stats.ts";
import { printable } from "../ipc/stall-report.ts";
import { bytes, count, duration, percent, UNKNOWN } from "./figures.ts";
import { statsOf } from "./stats-report.ts";

/** Figures of a whole server. Times are milliseconds; null stands for what is not known. */
export interface ServerUse {
  /** The memory of the workers (PSS) and the arbiter. */
  readonly memoryBytes: number | null;
  /** CPU time over time of all processes: 1 is a whole core. */
  readonly cpu: number | null;
  /** The highest of all workers. */
  readonly loopUtilization: number | null;
  readonly loopDelayP99: number | null;
  readonly inFlight: number | null;
  /** The latest end of a worker. */
  readonly lastExit: LastExit | null;
}

/** Asks a server for its figures; undefined if it does not have them, or does not answer in `timeout` milliseconds. */
export async function askStats(socket: string, timeout?: number): Promise<StatsReport | undefined> {
  try {
    const { status, body } = await requestControl(socket, "GET", "/stats", undefined, timeout);
    return status === 200 ? statsOf(body) : undefined;
  } catch {
    return undefined;
  }
}

export function useOf({ workers, arbiter, inFlight, isCounting }: StatsReport): ServerUse {
  const exits = workers.flatMap(({ lastExit }) => lastExit ?? []);
  return {
    memoryBytes: sum([...workers.map(({ pssBytes, rssBytes }) => pssBytes ?? rssBytes), arbiter.rssBytes]),
    cpu: sum([...workers.map(({ cpu }) => cpu), arbiter.cpu]),
    loopUtilization: highest(workers.map(({ loopUtilization }) => loopUtilization)),
    loopDelayP99: highest(workers.map(({ loopDelayP99 }) => loopDelayP99)),
    inFlight: isCounting ? inFlight : null,
    lastExit: exits.sort((one, other) => Date.parse(other.at) - Date.parse(one.at))[0] ?? null,
  };
}

export const USE_HEADINGS = ["IN FLIGHT", "LOOP", "DELAY", "CPU", "MEMORY", "LAST EXIT"] as const;

/** The cells below `USE_HEADINGS`. */
export function useCells(use: ServerUse | undefined): string[] {
  if (use === undefined) return USE_HEADINGS.map(() => UNKNOWN);
  const { lastExit } = use;
  return [
    count(use.inFlight),
    percent(use.loopUtilization),
    duration(use.loopDelayP99),
    percent(use.cpu),
    bytes(use.memoryBytes),
    lastExit === null ? UNKNOWN : `${printable(lastExit.reason)} (${lastExit.pid})`,
  ];
}

export function workerUse(worker: WorkerStats, isCounting: boolean): ServerUse {
  const inFlight = isCounting ? worker.inFlight : null;
  return { ...worker, inFlight, memoryBytes: worker.pssBytes ?? worker.rssBytes };
}

/** Unknown if all are. */
function sum(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((total, value) => total + value, 0);
}

function highest(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}
