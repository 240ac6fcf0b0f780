/** Reports on examinations as text for people. */
import type { HeapCost, StackReport, TraceReport } from "../../control/examination.ts";
import { nameThreadState, printable } from "../../ipc/stall-report.ts";
import { formatTable } from "../table.ts";

/** `12 kB`, `1.2 MB`, `340 MB` */
export function formatSize(bytes: number): string {
  if (bytes < 1e6) return `${Math.ceil(bytes / 1000)} kB`;
  return bytes < 1e7 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.round(bytes / 1e6)} MB`;
}

/** `42 ms`, `3.1 s`, `2m 5s` */
export function formatSeconds(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}m ${seconds % 60}s`;
}

/** The name of a file if the user gives none: `tsgun-4711-20260131T235959Z.cpuprofile`. */
export function examinationFile(pid: number, extension: string, time: Date): string {
  return `tsgun-${pid}-${time.toISOString().slice(0, 19).replace(/[-:]/g, "")}Z.${extension}`;
}

function headline({ pid, slot, doing, blockedForMs, mainThread }: StackReport): string {
  const worker = `worker ${pid} (slot ${slot})`;
  const blocked =
    blockedForMs > 0 ? `, and its event loop has been blocked for ${formatSeconds(blockedForMs)}` : "";
  if (doing === "idle") return `${worker} is idle: its event loop waits for events`;
  if (doing === "javascript") return `${worker} runs JavaScript${blocked}:`;
  return `${worker} is in native code (${nameThreadState(mainThread)})${blocked}: its JavaScript stack is known when the call returns`;
}

/** Describes a worker: its state, its stack, its requests in flight, and the processes that it has started. */
export function describeStack(report: StackReport): string {
  const { doing, inFlight, children, stack } = report;
  const lines = [headline(report), ...stack.map((frame) => printable(`    ${frame}`))];
  for (const { method, target, id, age } of inFlight ?? [])
    lines.push(printable(`  in flight: ${method} ${target} (id ${id}, ${formatSeconds(age)})`));
  if (inFlight?.length === 0) lines.push("  no request in flight");
  if (doing !== "idle")
    for (const { pid, command } of children) lines.push(printable(`  child process ${pid}: ${command}`));
  return lines.join("\n");
}

/** Describes the cost of a snapshot of the heap in one line. */
export function describeCost(cost: HeapCost): string {
  const { pid, heapBytes, fileBytes, memoryBytes, availableBytes, standstill } = cost;
  const price =
    `worker ${pid} has a heap of ${formatSize(heapBytes)}: it stands still for about ${formatSeconds(standstill)}, ` +
    `takes up to ${formatSize(memoryBytes)} more memory, and the file has about ${formatSize(fileBytes)}`;
  if (memoryBytes <= availableBytes) return price;
  return `${price}; only ${formatSize(availableBytes)} of memory are available, so it may be killed for lack of memory`;
}

/** Cells have no control characters, which a client could send to a terminal. */
export function formatTrace({ minutes, requests, skipped }: TraceReport): string {
  const rows = requests.map((request) => [
    new Date(request.at).toISOString().slice(11, 19),
    formatSeconds(request.duration),
    request.status === 0 ? "none" : String(request.status),
    String(request.pid),
    request.id ?? "-",
    `${request.method} ${request.target || "(not kept)"}`,
  ]);
  const headings = ["UTC", "DURATION", "STATUS", "WORKER", "ID", "REQUEST"];
  const table = formatTable(
    headings,
    rows.map((row) => row.map(printable)),
  );
  const notes = skipped.map(({ why }) => printable(`not asked: ${why}`));
  const none = minutes === 1 ? "no request in the last minute" : `no request in the last ${minutes} minutes`;
  return [rows.length === 0 ? none : table, ...notes].join("\n");
}
