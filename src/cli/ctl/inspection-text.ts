/** Reports of the control interface as text for people. */
import type {
  ConfigReport,
  EventReport,
  InFlightReport,
  ListenerReport,
  LogReport,
  StatsReport,
} from "../../control/stats.ts";
import { printable } from "../../ipc/stall-report.ts";
import { age, bytes, count, duration, rate, ratio, UNKNOWN } from "../figures.ts";
import { formatTable } from "../table.ts";

export function formatRequests(requests: readonly InFlightReport[]): string {
  if (requests.length === 0) return "no request is in flight";
  const rows = requests.map((request) => [
    duration(request.age),
    String(request.slot),
    String(request.pid),
    request.method,
    printable(request.target),
    printable(request.remote ?? "") || UNKNOWN,
    printable(request.id ?? "") || UNKNOWN,
    bytes(request.bytesReceived),
    bytes(request.bytesSent),
  ]);
  return formatTable(["AGE", "SLOT", "PID", "METHOD", "TARGET", "REMOTE", "ID", "IN", "OUT"], rows);
}

export function formatConfig({ settings }: ConfigReport): string {
  const rows = settings.map(({ name, value, origin }) => [name, value, origin].map(printable));
  return formatTable(["SETTING", "VALUE", "FROM"], rows);
}

export function formatListeners(listeners: readonly ListenerReport[]): string {
  const rows = listeners.map(({ address, slot, backlog, backlogLimit }) => [
    address,
    slot === null ? "all" : String(slot),
    count(backlog),
    count(backlogLimit),
  ]);
  return formatTable(["ADDRESS", "SLOT", "WAITING", "LIMIT"], rows);
}

/** One line: the time, then `!` before what an operator should look at. */
export function formatEvent({ time, message, isProblem, slot, reason }: EventReport): string {
  const facts = [slot === undefined ? "" : `slot ${slot}`, reason ?? ""].filter((fact) => fact !== "");
  const where = facts.length === 0 ? "" : ` (${facts.join(", ")})`;
  return `${time} ${isProblem ? "!" : " "} ${printable(message)}${where}`;
}

export function formatEvents(events: readonly EventReport[]): string {
  return events.length === 0 ? "nothing has happened yet" : events.map(formatEvent).join("\n");
}

/** One line: the time and the process. */
export function formatLogLine({ time, source, pid, slot, level, line }: LogReport): string {
  const from =
    source === "arbiter" ? `arbiter [${(level ?? "info").toUpperCase()}]` : `worker ${slot} (${pid})`;
  return `${time} ${from}: ${printable(line)}`;
}

export function formatLogLines(lines: readonly LogReport[]): string {
  return lines.length === 0 ? "no line has been written yet" : lines.map(formatLogLine).join("\n");
}

type Row = readonly [name: string, value: string];

const NOT_COUNTED =
  "not counted: the server runs with --no-metrics, or its log says why there is no shared memory";

export function formatStats(stats: StatsReport): string {
  const { rates, totals, connections, workerStates, lastReload, listeners } = stats;
  const seconds = `of the last ${Math.round(rates.seconds)}s`;
  const counted: Row[] = [
    [
      "requests",
      `${rate(rates.requestsPerSecond)} per second, ${ratio(rates.errorRatio)} failed (${seconds})`,
    ],
    ["duration", `p50 ${duration(rates.p50)}, p90 ${duration(rates.p90)}, p99 ${duration(rates.p99)}`],
    ["queue time", `p50 ${duration(stats.queueP50)}, p99 ${duration(stats.queueP99)}`],
    ["in flight", inFlightText(stats)],
    ...(rates.shedPerSecond > 0
      ? [["shed", `${rate(rates.shedPerSecond)} per second (${seconds})`] as const]
      : []),
    [
      "connections",
      `${count(connections.active)} active, ${count(connections.idle)} idle, ${count(connections.upgraded)} upgraded`,
    ],
    ["total", `${count(totals.requests)} requests: ${listText(totals.byClass)}`],
    ["rejected", listText(totals.rejected)],
    ["log lost", count(totals.logLinesDropped)],
  ];
  const rows: Row[] = [
    ["workers", listText(workerStates)],
    ...(stats.isCounting ? counted : [["requests", NOT_COUNTED] as const]),
    ...listeners.map(({ address, backlog, backlogLimit }): [string, string] => [
      "waiting",
      `${count(backlog)} of ${count(backlogLimit)} at ${address}`,
    ]),
    ["starts", count(totals.starts)],
    ["exits", listText(totals.exits)],
    ["last reload", reloadText(lastReload, stats.time)],
  ];
  return rows.map(([name, value]) => `${name.padEnd(12)} ${printable(value)}`).join("\n");
}

/** `118, 12 of them waiting (each worker: at most 50, and 50 that wait)` */
function inFlightText({ inFlight, waiting, inFlightLimit }: StatsReport): string {
  if (inFlightLimit === null) return count(inFlight);
  const { places, waiting: most } = inFlightLimit;
  return `${count(inFlight)}, ${count(waiting)} of them waiting (each worker: at most ${count(places)}, and ${count(most)} that wait)`;
}

/** `3 ready, 1 booting`, without those of which there are none. */
function listText(numbers: Readonly<Record<string, number | undefined>>): string {
  const some = Object.entries(numbers).filter(([, number]) => (number ?? 0) > 0);
  return some.map(([name, number]) => `${count(number ?? 0)} ${name}`).join(", ") || "none";
}

function reloadText(reload: StatsReport["lastReload"], now: string): string {
  if (reload === null) return "none";
  const ago = `${age(Date.parse(now) - Date.parse(reload.at))} ago`;
  return reload.ok ? `succeeded ${ago}, in ${duration(reload.duration)}` : `failed ${ago}: ${reload.error}`;
}
