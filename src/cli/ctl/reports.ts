/** The commands that show the state of the server. */
import type { StatusReport, WorkerReport } from "../../control/api.ts";
import { formatAge, formatTable } from "../table.ts";
import { query, type Verb } from "./verb.ts";

export const REPORTS: readonly Verb[] = [
  {
    name: "status",
    description: "show the state of the server",
    run: (command) => query(command, "/status", formatStatus),
  },
  {
    name: "workers",
    description: "show the state of each worker",
    run: (command) => query(command, "/workers", formatWorkers),
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

function formatWorkers(workers: readonly WorkerReport[]): string {
  const someAreNotReady = workers.some(({ notReady }) => notReady !== null);
  const haveAddresses = workers.some(({ address }) => address !== null);
  const rows = workers.map((worker) => [
    String(worker.pid),
    String(worker.slot),
    String(worker.generation),
    worker.state,
    formatAge(worker.age),
    String(worker.connections),
    String(worker.requests),
    ...(haveAddresses ? [worker.address ?? ""] : []),
    ...(someAreNotReady ? [worker.notReady ?? ""] : []),
  ]);
  const headings = ["PID", "SLOT", "GENERATION", "STATE", "AGE", "CONNECTIONS", "REQUESTS"];
  if (haveAddresses) headings.push("ADDRESS");
  if (someAreNotReady) headings.push("NOT READY");
  return formatTable(headings, rows);
}
