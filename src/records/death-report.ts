/** The short form of a record, for lists. */
import type { DeathReport } from "../control/stats.ts";
import { verdictOf } from "./cause.ts";
import type { DeathRecord } from "./death-record.ts";
import { printable } from "./figures.ts";

export function reportOf(record: DeathRecord): DeathReport {
  const { worker, end, time } = record;
  const { fact, cause } = verdictOf(record);
  return {
    pid: worker.pid,
    slot: worker.slot,
    generation: worker.generation,
    at: time,
    reason: end.reason,
    how: printable(end.how),
    fact: printable(fact),
    cause: printable(cause),
    orderedFor: end.orderedFor === null ? null : printable(end.orderedFor),
    isProblem: end.isProblem,
    age: worker.age,
    requests: worker.requests,
  };
}
