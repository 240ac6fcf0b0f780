/**
 * The generations: each reload makes one, with the configuration that its workers are given and the folder that they
 * start in. One is kept as long as workers of it may be started, so that an abandoned reload finds the configuration
 * before it as it was, and a worker that dies behind one is replaced from the release that serves.
 */
import { existsSync, realpathSync } from "node:fs";
import type { Configuration } from "../../config/config.ts";
import type { Hooks } from "../../config/hooks.ts";
import type { Config } from "../../config/settings.ts";
import type { BootFailure } from "../../ipc/messages.ts";

export class Generations {
  readonly #failures = new Map<number, BootFailure>();
  readonly #kept = new Map<number, Configuration>();
  /** Where the links on the way to the folder led when the generation was made. */
  readonly #folders = new Map<number, string>();
  readonly #folder: string;
  #newest = 0;

  /** @param folder as it was named, links in it not resolved */
  constructor(first: Configuration, folder: string) {
    this.#folder = folder;
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
    if (existsSync(this.#folder)) this.#folders.set(this.#newest, realpathSync(this.#folder));
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

  /** Where workers of the generation start: the release that it began with, as long as that is there. */
  folderOf(generation: number): string {
    const folder = this.#folders.get(generation);
    return folder !== undefined && existsSync(folder) ? folder : this.#folder;
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
    for (const other of this.#folders.keys()) if (other !== generation) this.#folders.delete(other);
  }
}
