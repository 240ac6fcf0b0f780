/**
 * The generations: each reload makes one, with the configuration that its workers are given. One is kept as long as
 * workers of it may be started, so that an abandoned reload finds the configuration before it as it was.
 */
import type { Config } from "../config/settings.ts";
import type { BootFailure } from "../ipc/messages.ts";

export class Generations {
  readonly #configs = new Map<number, Config>();
  readonly #failures = new Map<number, BootFailure>();
  #newest = 0;

  constructor(first: Config) {
    this.add(first);
  }

  get newest(): number {
    return this.#newest;
  }

  /**
   * Makes a generation of a configuration, and returns its number. One that stands in for an app that could not be
   * started serves nothing but why.
   */
  add(config: Config, standsInFor?: BootFailure): number {
    this.#newest += 1;
    this.#configs.set(this.#newest, config);
    if (standsInFor !== undefined) this.#failures.set(this.#newest, standsInFor);
    return this.#newest;
  }

  /** Why the generation has no app to serve; undefined for one that has. */
  standsInFor(generation: number): BootFailure | undefined {
    return this.#failures.get(generation);
  }

  find(generation: number): Config | undefined {
    return this.#configs.get(generation);
  }

  configOf(generation: number): Config {
    const config = this.#configs.get(generation);
    if (config === undefined) throw new Error(`no configuration is kept for generation ${generation}`);
    return config;
  }

  /** The configurations that workers may be started with. */
  get configs(): Config[] {
    return [...this.#configs.values()];
  }

  /** Forgets all but one: there is no way back behind it. */
  keepOnly(generation: number): void {
    for (const other of this.#configs.keys()) if (other !== generation) this.#configs.delete(other);
    for (const other of this.#failures.keys()) if (other !== generation) this.#failures.delete(other);
  }
}
