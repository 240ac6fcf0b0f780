/**
 * The generations: each reload makes one, with the configuration that its workers are given. One is kept as long as
 * workers of it may be started, so that an abandoned reload finds the configuration before it as it was.
 */
import type { Configuration } from "../config/config.ts";
import type { Hooks } from "../config/hooks.ts";
import type { Config } from "../config/settings.ts";
import type { BootFailure } from "../ipc/messages.ts";

export class Generations {
  readonly #failures = new Map<number, BootFailure>();
  readonly #kept = new Map<number, Configuration>();
  #newest = 0;

  constructor(first: Configuration) {
    this.add(first);
  }

  get newest(): number {
    return this.#newest;
  }

  /**
   * Makes a generation of a configuration, and returns its number. One that stands in for an app that could not be
   * started serves nothing but why.
   */
  add(configuration: Configuration, standsInFor?: BootFailure): number {
    this.#newest += 1;
    this.#kept.set(this.#newest, configuration);
    if (standsInFor !== undefined) this.#failures.set(this.#newest, standsInFor);
    return this.#newest;
  }

  /** Why the generation has no app to serve; undefined for one that has. */
  standsInFor(generation: number): BootFailure | undefined {
    return this.#failures.get(generation);
  }

  find(generation: number): Config | undefined {
    return this.#kept.get(generation)?.config;
  }

  configOf(generation: number): Config {
    const config = this.find(generation);
    if (config === undefined) throw new Error(`no configuration is kept for generation ${generation}`);
    return config;
  }

  /** The hooks of a generation, or of the newest where it has been forgotten. */
  hooksOf(generation: number): Partial<Hooks> {
    return (this.#kept.get(generation) ?? this.#kept.get(this.#newest))?.hooks ?? {};
  }

  /** The configurations that workers may be started with. */
  get configs(): Config[] {
    return [...this.#kept.values()].map(({ config }) => config);
  }

  /** Forgets all but one: there is no way back behind it. */
  keepOnly(generation: number): void {
    for (const other of this.#failures.keys()) if (other !== generation) this.#failures.delete(other);
    for (const other of this.#kept.keys()) if (other !== generation) this.#kept.delete(other);
  }
}
