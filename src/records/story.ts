/**
 * The story of a death, for people: the fact first, then its likely cause, what to do, and the data. Pure: a record to
 * lines of text, which hold no control character.
 */
import { lifeOf, verdictOf } from "./cause.ts";
import type { DeathRecord, DeathSample } from "./death-record.ts";
import { megabytes, printable, seconds } from "./figures.ts";

/** Lines of the last minute that are shown: the last seconds, and before these one for every ten. */
const LAST_SECONDS = 10;
const STEP = 10;

export function tellDeath(record: DeathRecord): string[] {
  const { fact, cause, advice } = verdictOf(record);
  const { pid } = record.worker;
  const sections = [
    [`Worker ${pid} of ${record.server.name} ${fact}.`],
    cause === "" ? [] : [`Likely cause: ${cause}.`],
    advice === "" ? [] : [`What to do: ${advice}`],
    [""],
    facts(record),
    requestLines(record),
    frameLines(record),
    childLines(record),
    sampleLines(record.samples),
    record.stderr.length === 0
      ? []
      : ["", "last lines of standard error", ...record.stderr.map((line) => `  ${line}`)],
  ];
  return sections.flat().map(printable);
}

function facts(record: DeathRecord): string[] {
  const { server, worker, end, memory } = record;
  const rows: [string, string][] = [
    ["time", `${record.time.slice(0, 19).replace("T", " ")} UTC, ${lifeOf(record)}`],
    ["end", `${end.how} (reason: ${end.reason})`],
    ["worker", `slot ${worker.slot}, generation ${worker.generation}, ${worker.state}`],
    ["server", `${server.app} in ${server.folder}, arbiter ${server.arbiter}`],
  ];
  if (end.orderedFor !== null) rows.push(["ordered for", end.orderedFor]);
  if (server.release !== server.folder) rows.push(["release", server.release]);
  rows.push(["versions", `tsgun ${server.tsgun}, Node ${server.node}`]);
  if (record.stall !== null)
    rows.push([
      "blocked",
      `in ${record.stall.where}, ${seconds(record.stall.blockedFor)} when it was reported`,
    ]);
  const heap = heapText(memory);
  if (heap !== "") rows.push(["heap", heap]);
  if (memory.rss !== null)
    rows.push(["memory", `${megabytes(memory.rss)} resident${limitText(memory.groupLimit)}`]);
  if (memory.oomKillsAfter !== null)
    rows.push(["oom_kill", `${memory.oomKillsBefore ?? "?"} before, ${memory.oomKillsAfter} after`]);
  return aligned(rows);
}

function limitText(limit: number | null): string {
  return limit === null ? "" : `, the control group's limit is ${megabytes(limit)}`;
}

function heapText({ heapUsed, heapLimit, heapSpaces }: DeathRecord["memory"]): string {
  if (heapUsed === null && heapLimit === null) return "";
  const used = heapUsed === null ? "" : `${megabytes(heapUsed)} used`;
  const limit = heapLimit === null ? "" : `limit ${megabytes(heapLimit)} with the young generation`;
  const spaces = heapSpaces.slice(0, 4).map(({ name, bytes }) => `${name} ${megabytes(bytes)}`);
  return [used, limit, ...spaces].filter((text) => text !== "").join(", ");
}

function aligned(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

function requestLines({ requestsInFlight }: DeathRecord): string[] {
  if (requestsInFlight.length === 0) return [];
  const lines = requestsInFlight.map(({ method, target, id, age }) => {
    const about = id === null ? seconds(age) : `${seconds(age)}, id ${id}`;
    return `  ${method} ${target} (${about})`;
  });
  return ["", "requests in flight", ...lines];
}

function frameLines({ error, stall }: DeathRecord): string[] {
  const ofError = (error?.stack ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const lines = ofError.length > 0 ? ofError : (stall?.stack ?? []);
  return lines.length === 0 ? [] : ["", "stack", ...lines.map((line) => `  ${line}`)];
}

function childLines({ stall }: DeathRecord): string[] {
  if (stall === null || stall.children.length === 0) return [];
  return ["", "child processes", ...stall.children.map(({ pid, command }) => `  ${pid} ${command}`)];
}

const COLUMNS: readonly [heading: string, cell: (sample: DeathSample, end: number) => string][] = [
  ["before", ({ time }, end) => `${Math.round((end - time) / 1000)} s`],
  ["memory", ({ rss }) => (rss === null ? "-" : megabytes(rss))],
  ["heap", ({ heapUsed }) => (heapUsed === null ? "-" : megabytes(heapUsed))],
  ["external", ({ external }) => (external === null ? "-" : megabytes(external))],
  ["loop delay", ({ loopDelay }) => (loopDelay === null ? "-" : seconds(loopDelay))],
  ["cpu", ({ cpu }) => (cpu === null ? "-" : `${Math.round(cpu * 100)} %`)],
  ["req/s", ({ requestsPerSecond: rate }) => (rate === null ? "-" : String(Math.round(rate)))],
  ["in flight", ({ inFlight }) => String(inFlight ?? "-")],
];

function sampleLines(samples: readonly DeathSample[]): string[] {
  const last = samples.at(-1);
  if (last === undefined) return [];
  const early = samples.length - LAST_SECONDS;
  const shown = samples.filter((_, index) => index >= early || (early - index) % STEP === 0);
  const table = [
    COLUMNS.map(([heading]) => heading),
    ...shown.map((sample) => COLUMNS.map(([, cell]) => cell(sample, last.time))),
  ];
  const widths = COLUMNS.map((_, column) => Math.max(...table.map((row) => (row[column] as string).length)));
  const lines = table.map((row) =>
    row.map((cell, column) => cell.padStart(widths[column] as number)).join("  "),
  );
  return ["", "the last minute", ...lines.map((line) => `  ${line}`)];
}
