/**
 * `--app-metrics`: asks all workers for what their apps count, and shows the sums. A worker that does not answer in time is
 * shown as it answered last, and one that has ended stays in the sums, so that counters do not fall.
 */

import {
  type AppMetric,
  type AppReading,
  addSums,
  appFamilies,
  isSummed,
  readAppMetrics,
} from "../../metrics/app-metrics.ts";
import type { Family } from "../../metrics/exposition.ts";
import type { Pool } from "../pool/pool.ts";
import type { WorkerQuestions } from "../workers/questions.ts";

const LIMITS = { received: 100, answered: 150 };

export interface AppMetricsDependencies {
  readonly pool: Pick<Pool, "roster">;
  readonly questions: Pick<WorkerQuestions, "ask">;
}

export class AppMetrics {
  readonly #dependencies: AppMetricsDependencies;
  #ended: readonly AppMetric[] = [];
  /** The last answer of each worker, by id. */
  readonly #readings = new Map<number, AppReading>();

  constructor(dependencies: AppMetricsDependencies) {
    this.#dependencies = dependencies;
  }

  /** @param taken names of tsgun's own families */
  async families(taken: ReadonlySet<string>): Promise<Family[]> {
    const { roster } = this.#dependencies.pool;
    const silent = new Set<number>();
    await Promise.all(
      roster
        .filter(({ state }) => state !== "booting")
        .map(async ({ id, slot }) => {
          const answered = await this.#dependencies.questions.ask(id, { about: "app-metrics" }, LIMITS);
          if (answered.ok) this.#readings.set(id, { slot, metrics: readAppMetrics(answered.value) });
          else silent.add(id);
        }),
    );
    this.#forgetEnded();
    const readings = [...this.#readings].map(([id, reading]) =>
      // The gauges of a worker that does not answer are not known.
      silent.has(id) ? { ...reading, metrics: reading.metrics.filter(isSummed) } : reading,
    );
    return appFamilies(this.#ended, newestOfSlots(readings), taken);
  }

  #forgetEnded(): void {
    const living = new Set(this.#dependencies.pool.roster.map(({ id }) => id));
    for (const [id, { metrics }] of this.#readings) {
      if (living.has(id)) continue;
      this.#readings.delete(id);
      this.#ended = addSums(this.#ended, metrics);
    }
  }
}

/** If a slot has two workers, the newer one shows its gauges. */
function newestOfSlots(readings: readonly AppReading[]): AppReading[] {
  const last = new Map(readings.map((reading) => [reading.slot, reading]));
  return readings.map((reading) =>
    last.get(reading.slot) === reading ? reading : { ...reading, metrics: reading.metrics.filter(isSummed) },
  );
}
