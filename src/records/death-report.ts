/** The short form of a record, for lists. */
import { basename } from "node:path";
import type { DeathReport } from "../control/stats.ts";
import { verdictOf } from "./cause.ts";
import type { DeathRecord } from "./death-record.ts";
import { printable } from "./figures.ts";
import { type RecordEntry, readRecord } from "./record-folder.ts";

/** Reads records for a list, leaving out those that are gone or are none. */
export async function readReports(entries: readonly RecordEntry[]): Promise<DeathReport[]> {
  const reports = entries.map(async (entry) => {
    const record = await readRecord(entry);
    return record === undefined ? [] : [reportOf(record, idOf(entry))];
  });
  return (await Promise.all(reports)).flat();
}

/** The name of a record: that of its file, without the extension. */
export function idOf({ path }: RecordEntry): string {
  return basename(path, ".json");
}

function reportOf(record: DeathRecord, id: string): DeathReport {
  const { worker, end, time, server } = record;
  const { fact, cause } = verdictOf(record);
  return {
    id,
    time,
    server: printable(server.name),
    pid: worker.pid,
    slot: worker.slot,
    generation: worker.generation,
    reason: end.reason,
    how: printable(end.how),
    headline: printable(fact),
    cause: printable(cause),
    orderedFor: end.orderedFor === null ? null : printable(end.orderedFor),
    isProblem: end.isProblem,
    age: worker.age,
    requests: worker.requests,
  };
}
