/**
 * Tells a statsd server once a second what this arbiter and its workers have counted, on turns of the loop that happen
 * anyway. During an upgrade each of the two arbiters tells of its own workers, so nothing is told twice.
 */

import type { Config } from "../../config/settings.ts";
import { formatStatsdAddress } from "../../config/statsd-kind.ts";
import type { ErrorLog } from "../../log/error-log.ts";
import type { StatsdGauges } from "../../metrics/statsd-lines.ts";
import { StatsdReporter } from "../../metrics/statsd-reporter.ts";
import type { Pool } from "../pool/pool.ts";
import type { Sampler } from "./sampler.ts";
import type { Stats } from "./stats.ts";

export type StatsdSettings = Pick<
  Config,
  "statsdHost" | "statsdPrefix" | "dogstatsdTags" | "enableBacklogMetric" | "metrics"
>;

export interface StatsdDependencies {
  readonly stats: Stats;
  readonly log: ErrorLog;
  pool(): Pool;
  /** The configuration that serves. */
  config(): StatsdSettings;
  /** Another arbiter tells how many workers there are. */
  isLeaving(): boolean;
}

const INTERVAL_MS = 1000;
/** Turns come within a beat of each other: a report that is nearly due is made, or it would be late by a whole one. */
const EARLY_MS = 100;

export class Statsd {
  readonly #dependencies: StatsdDependencies;
  #config: StatsdSettings | undefined;
  #settings = "";
  #reporter: StatsdReporter | undefined;
  /** Changes of the settings, one after the other. */
  #changing: Promise<void> = Promise.resolve();
  #sampler: Sampler | undefined;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #tellsAll: boolean;

  /** @param tellsAll whether the server is to be told what has been counted so far */
  constructor(dependencies: StatsdDependencies, tellsAll: boolean) {
    this.#dependencies = dependencies;
    this.#tellsAll = tellsAll;
    this.review();
  }

  /** Tells what is new if a second has passed. Call on every turn of the loop. */
  review(): void {
    const config = this.#dependencies.config();
    if (config !== this.#config) this.#adopt(config);
    const now = performance.now();
    if (this.#reporter === undefined || now - this.#reportedAt < INTERVAL_MS - EARLY_MS) return;
    this.#reportedAt = now;
    this.#report(this.#reporter);
  }

  /** Tells the rest. Resolves when it has left the process. */
  async close(): Promise<void> {
    await this.#changing;
    const reporter = this.#reporter;
    if (reporter === undefined) return;
    this.#reporter = undefined;
    await reporter.settled();
    this.#report(reporter);
    await reporter.close();
  }

  #report(reporter: StatsdReporter): void {
    reporter.report(this.#dependencies.stats.board.own(), this.#gauges());
  }

  #gauges(): StatsdGauges {
    const { pool, isLeaving } = this.#dependencies;
    const { roster } = pool();
    return {
      workers: isLeaving() ? undefined : roster.length,
      backlog: this.#sampler?.backlogs.sample(true) ?? undefined,
    };
  }

  #adopt(config: StatsdSettings): void {
    const { statsdHost, statsdPrefix, dogstatsdTags, enableBacklogMetric } = config;
    const settings = JSON.stringify([statsdHost, statsdPrefix, dogstatsdTags, enableBacklogMetric]);
    this.#config = config;
    if (settings === this.#settings) return;
    const tellsAll = this.#tellsAll;
    this.#tellsAll = false;
    this.#settings = settings;
    const { log } = this.#dependencies;
    this.#changing = this.#changing
      .then(() => this.#change(config, tellsAll))
      .catch((error: Error) => log.error(`Cannot report to statsd: ${error.message}`));
  }

  async #change(
    { statsdHost, statsdPrefix, dogstatsdTags, enableBacklogMetric, metrics }: StatsdSettings,
    tellsAll: boolean,
  ): Promise<void> {
    const { stats, log } = this.#dependencies;
    const before = this.#reporter;
    this.#reporter = undefined;
    this.#sampler = undefined;
    if (before !== undefined) {
      this.#report(before);
      await before.close();
    }
    if (statsdHost === undefined) return;
    if (!metrics) log.warning("Requests are not counted (--no-metrics), so statsd is told of workers only");
    this.#reporter = new StatsdReporter(
      {
        address: statsdHost,
        name: formatStatsdAddress(statsdHost),
        prefix: statsdPrefix,
        tags: dogstatsdTags,
        onTrouble: (message) => log.warning(message),
        onRecovery: (message) => log.info(message),
      },
      tellsAll ? [] : stats.board.own(),
    );
    if (enableBacklogMetric) this.#sampler = await stats.sampler();
  }
}
