/** Loads what reports to statsd once the settings name a server, since most servers have none. */
import type { Statsd, StatsdDependencies } from "./statsd.ts";

export class StatsdSwitch {
  readonly #dependencies: StatsdDependencies;
  #statsd: Statsd | undefined;
  #loading: Promise<void> | undefined;
  /** Whether a server was named from the start: otherwise the counts from before are not told. */
  #tellsAll = true;

  constructor(dependencies: StatsdDependencies) {
    this.#dependencies = dependencies;
  }

  /** Call on every turn of the loop. */
  review(): void {
    if (this.#statsd !== undefined) this.#statsd.review();
    else if (this.#dependencies.config().statsdHost === undefined) this.#tellsAll = false;
    else this.#loading ??= this.#load(this.#tellsAll);
  }

  async #load(tellsAll: boolean): Promise<void> {
    try {
      const { Statsd } = await import("./statsd.ts");
      this.#statsd = new Statsd(this.#dependencies, tellsAll);
    } catch (error) {
      this.#dependencies.log.error(`Cannot report to statsd: ${(error as Error).message}`);
    }
  }

  /** Tells the rest. */
  async close(): Promise<void> {
    await this.#loading;
    await this.#statsd?.close();
  }
}
