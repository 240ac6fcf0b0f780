/**
 * Reads the current configuration from all sources: default < file < environment < TSGUN_CMD_ARGS < command line.
 * Runs at the start and again for each reload.
 */
import { resolve } from "node:path";
import {
  type ConfigTrace,
  type Configuration,
  environmentLayer,
  hostedLayer,
  type Layer,
  makeConfig,
  type ResolvedConfig,
  resolveConfig,
} from "../config/config.ts";
import { findConfigFile } from "../config/config-source.ts";
import type { Config } from "../config/settings.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { currentFolder } from "../system/working-folder.ts";

/** The resolved configuration with the origin of each value. */
export interface TracedConfiguration extends Configuration, ResolvedConfig {
  /** The names in `env` that come from files. */
  readonly fileVariables?: ReadonlySet<string>;
}

export class ConfigurationReader {
  /** Where the command was started. Symbolic links are not resolved, so that a relinked one leads to the new release's file. */
  readonly #folder = currentFolder();
  readonly #given: readonly Layer[];
  readonly #defaults: readonly Layer[];
  readonly #assumed: ReadonlySet<string>;

  /**
   * @param given layers that override the file: TSGUN_CMD_ARGS and the command line
   * @param defaults layers that the file overrides
   * @param assumed variables of this process that nobody has set: files of variables override them
   */
  constructor(given: readonly Layer[], defaults: readonly Layer[] = [], assumed: readonly string[] = []) {
    this.#given = given;
    this.#defaults = defaults;
    this.#assumed = new Set(assumed);
  }

  /**
   * Reads the settings, and adds the variables of `--env-file` to those of `--env`.
   * @throws FatalError (usage) as `read` does, or one that names the file of variables
   */
  async readWithVariables(): Promise<TracedConfiguration> {
    const read = await this.read();
    const { envFile = [], env } = read.config;
    if (envFile.length === 0) return read;
    const { locateEnvFile, readEnvFiles } = await import("../loader/env-file.ts");
    const files = envFile.map((name) => locateEnvFile(name, this.#folder));
    const isFree = (name: string): boolean => !(name in process.env) || this.#assumed.has(name);
    const added = Object.entries(readEnvFiles(files)).filter(
      ([name]) => isFree(name) && !(name in { ...env }),
    );
    const origins = [read.origins.get("env"), ...envFile].filter((origin) => origin !== undefined);
    const config = {
      ...read.config,
      env: { ...Object.fromEntries(added), ...env },
      // Processes in another folder watch them.
      envFile: files.map(({ path, isOptional }) => (isOptional ? `${path}?` : path)),
    };
    const isAdded = added.length > 0;
    const trace = {
      origins: new Map([...read.origins, ...(isAdded ? [["env", origins.join(", ")] as const] : [])]),
      sources: new Map([...read.sources, ...(isAdded ? [["env", "file"] as const] : [])]),
    };
    return { ...traced(config, read.hooks, trace), fileVariables: new Set(added.map(([name]) => name)) };
  }

  /** @throws FatalError (usage) that names the fault, the setting and where it was set. */
  async read(): Promise<TracedConfiguration> {
    const outside = [environmentLayer(process.env), ...this.#given];
    const defaults = [hostedLayer(process.env), ...this.#defaults];
    const { config: named } = makeConfig(outside);
    const source = named ?? findConfigFile(this.#folder);
    if (source === undefined || source === false) {
      const { config, ...trace } = resolveConfig([...defaults, ...outside]);
      return traced(config, {}, trace);
    }
    const { ConfigFile } = await import("../loader/config-file.ts");
    const file = new ConfigFile(source, this.#folder);
    const { layer, hooks } = await file.read({ env: process.env });
    const { config, origins, sources } = resolveConfig([...defaults, layer, ...outside]);
    const found = { config: "found where the command was started", ...Object.fromEntries(origins) };
    return traced({ ...config, config: file.source }, hooks, {
      origins: new Map(Object.entries(found)),
      sources,
    });
  }
}

function traced(config: Config, hooks: Configuration["hooks"], trace: ConfigTrace): TracedConfiguration {
  return { config, hooks, ...trace, trace };
}

/** @throws FatalError (usage) when there is no app. */
export async function requireApp<Read extends Configuration>(read: Read): Promise<Read> {
  if (read.config.app !== undefined) return read;
  const { builtServerHint } = await import("../loader/built-server.ts");
  const cwd = resolve(read.config.chdir ?? ".");
  throw new FatalError(
    `no app given: run tsgun module:name, for example tsgun app.ts:handler, or set app in tsgun.config.ts${builtServerHint(cwd, cwd)}`,
    ExitCode.usage,
  );
}
