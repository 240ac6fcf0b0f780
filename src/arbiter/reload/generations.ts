/**
 * The generations: each reload makes one, with the configuration of its workers and the folder that they start in. A
 * generation is kept while workers of it may be started, so that an abandoned reload falls back to the configuration
 * before it, and a worker that dies during a reload is replaced from the release that serves.
 */
import { existsSync, realpathSync } from "node:fs";
import type { ConfigTrace, Configuration } from "../../config/config.ts";
import type { Hooks } from "../../config/hooks.ts";
import type { Config } from "../../config/settings.ts";
import type { BootFailure } from "../../ipc/messages.ts";
import type { TlsMaterial } from "../../ipc/tls-material.ts";

/** Everything has its default, as far as is known. */
export const NO_TRACE: ConfigTrace = { origins: new Map(), sources: new Map() };

export class Generations {
  readonly #failures = new Map<number, BootFailure>();
  readonly #kept = new Map<number, Configuration>();
  readonly #begun = new Map<number, Date>();
  /** The real path of the folder when the generation was made. */
  readonly #folders = new Map<number, string>();
  readonly #folder: string;
  #newest = 0;
  /** The generation that serves; undefined until the first boot is complete. */
  #established: number | undefined;

  /** @param folder as given, symlinks not resolved */
  constructor(first: Configuration, folder: string) {
    this.#folder = folder;
    this.add(first);
  }

  get newest(): number {
    return this.#newest;
  }

  /**
   * Makes a generation of a configuration and returns its number. With `placeholderFor` it serves only the error of the
   * app that failed to start.
   */
  add(configuration: Configuration, placeholderFor?: BootFailure): number {
    this.#newest += 1;
    this.#kept.set(this.#newest, configuration);
    this.#begun.set(this.#newest, new Date());
    if (existsSync(this.#folder)) this.#folders.set(this.#newest, realpathSync(this.#folder));
    if (placeholderFor !== undefined) this.#failures.set(this.#newest, placeholderFor);
    return this.#newest;
  }

  /** Why the generation has no app to serve; undefined if it has one. */
  placeholderFor(generation: number): BootFailure | undefined {
    return this.#failures.get(generation);
  }

  /** When the generation was made; undefined if it has been dropped. */
  begunAt(generation: number): Date | undefined {
    return this.#begun.get(generation);
  }

  find(generation: number): Config | undefined {
    return this.#kept.get(generation)?.config;
  }

  configOf(generation: number): Config {
    const config = this.find(generation);
    if (config === undefined) throw new Error(`no configuration is kept for generation ${generation}`);
    return config;
  }

  /** The material for the workers of a generation to speak TLS; undefined: they speak cleartext. */
  tlsOf(generation: number): TlsMaterial | undefined {
    return this.#kept.get(generation)?.tls;
  }

  /** Adds the certificates of the first generation, which are read after it has been made. */
  secureFirst(tls: TlsMaterial | undefined): void {
    const first = this.#kept.get(1);
    if (first !== undefined) this.#kept.set(1, { ...first, tls });
  }

  /** The certificates of the generation that serves, or is to serve first. */
  get currentTls(): TlsMaterial | undefined {
    return this.tlsOf(this.#current);
  }

  /** Where the values of a generation's configuration come from. */
  traceOf(generation: number): ConfigTrace {
    return this.#kept.get(generation)?.trace ?? NO_TRACE;
  }

  /** The folder that workers of the generation start in: its original release, as long as that exists. */
  folderOf(generation: number): string {
    const folder = this.#folders.get(generation);
    return folder !== undefined && existsSync(folder) ? folder : this.#folder;
  }

  /** The hooks of a generation, or of the newest if it has been dropped. */
  hooksOf(generation: number): Partial<Hooks> {
    return (this.#kept.get(generation) ?? this.#kept.get(this.#newest))?.hooks ?? {};
  }

  /** The configuration of the generation that serves, or is to serve first. */
  get currentConfig(): Config {
    return this.configOf(this.#current);
  }

  /** The hooks of the generation that serves, or is to serve first. */
  get currentHooks(): Partial<Hooks> {
    return this.hooksOf(this.#current);
  }

  /** Where the values of `currentConfig` come from. */
  get currentTrace(): ConfigTrace {
    return this.traceOf(this.#current);
  }

  get #current(): number {
    return this.#established ?? this.#newest;
  }

  /** The configurations that workers may be started with. */
  get configs(): Config[] {
    return [...this.#kept.values()].map(({ config }) => config);
  }

  /** Every slot has a worker of this generation: drops all others, so there is no fallback any more. */
  established(generation: number): void {
    this.#established = generation;
    for (const map of [this.#failures, this.#kept, this.#begun, this.#folders])
      for (const other of map.keys()) if (other !== generation) map.delete(other);
  }
}
