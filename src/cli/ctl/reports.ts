/** The commands that show the state of the server. */
import type { Command } from "commander";
import type { StatusReport, WorkerReport } from "../../control/api.ts";
import type { WorkerStats } from "../../control/stats.ts";
import { count, rate } from "../figures.ts";
import { askStats, USE_HEADINGS, useCells, workerUse } from "../server-use.ts";
import { formatAge, formatTable } from "../table.ts";
import { choose, isJson, query, send, type Verb } from "./verb.ts";

/** An arbiter has its figures at once. */
const FIGURES_TIMEOUT_MS = 2000;

export const REPORTS: readonly Verb[] = [
  {
    name: "status",
    description: "show the state of the server",
    run: (command) => query(command, "/status", formatStatus),
  },
  {
    name: "workers",
    description: "show the state of each worker",
    run: showWorkers,
  },
];

function formatStatus(status: StatusReport): string {
  const { workers } = status;
  // A server of an earlier version does not say.
  const isUnready = status.ready === false && status.state !== "booting" && status.state !== "stopping";
  return [
    `${status.name} (tsgun ${status.version}, pid ${status.pid}) is ${status.state === "down" ? "down: no worker is ready" : status.state}`,
    `app        ${status.app}`,
    // A server before this version does not report it.
    ...(status.folder === undefined ? [] : [`folder     ${status.folder}`]),
    `listening  ${status.listening.join(", ")}`,
    `workers    ${workers.ready} of ${workers.target} ready, generation ${status.generation}`,
    ...(isUnready ? [`not ready  ${status.reason}`] : []),
    `up         ${formatAge(status.uptime)}`,
  ].join("\n");
}

/** A server of an earlier version, or a busy one, has no figures of its workers. */
async function showWorkers(command: Command): Promise<void> {
  const server = await choose(command);
  const stats = await askStats(server.controlSocket, FIGURES_TIMEOUT_MS);
  const workers = stats?.workers ?? ((await send(server, "GET", "/workers")) as WorkerReport[]);
  console.log(
    isJson(command)
      ? JSON.stringify(workers, undefined, 2)
      : formatWorkers(workers, stats?.isCounting ?? false, (stats?.inFlightLimit ?? null) !== null),
  );
}

function formatWorkers(
  workers: readonly (WorkerReport | WorkerStats)[],
  isCounting: boolean,
  isLimited: boolean,
): string {
  const haveFigures = workers.some((worker) => "pssBytes" in worker);
  const someAreNotReady = workers.some(({ notReady }) => notReady !== null);
  const haveAddresses = workers.some(({ address }) => address !== null);
  const rows = workers.map((worker) => [
    String(worker.pid),
    String(worker.slot),
    String(worker.generation),
    "isStuck" in worker && worker.isStuck ? "stuck" : worker.state,
    formatAge(worker.age),
    String(worker.connections),
    String(worker.requests),
    ...(isLimited ? gateCells("waiting" in worker ? worker : undefined) : []),
    ...(haveFigures ? useCells("pssBytes" in worker ? workerUse(worker, isCounting) : undefined) : []),
    ...(haveAddresses ? [worker.address ?? ""] : []),
    ...(someAreNotReady ? [worker.notReady ?? ""] : []),
  ]);
  const headings = ["PID", "SLOT", "GENERATION", "STATE", "AGE", "CONNECTIONS", "REQUESTS"];
  if (isLimited) headings.push("WAITING", "SHED/S");
  if (haveFigures) headings.push(...USE_HEADINGS);
  if (haveAddresses) headings.push("ADDRESS");
  if (someAreNotReady) headings.push("NOT READY");
  return formatTable(headings, rows);
}

/** How many requests wait for a place of `--max-in-flight`, and how many a second are refused. */
function gateCells(worker: WorkerStats | undefined): string[] {
  return [count(worker?.waiting ?? null), rate(worker?.rates.shedPerSecond ?? null)];
}
