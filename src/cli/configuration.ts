/**
 * Reads the current configuration from all sources: default < file < environment < TSGUN_CMD_ARGS < command line.
 * Runs at the start and again for each reload.
 */
import { resolve } from "node:path";
import {
  type Configuration,
  environmentLayer,
  hostedLayer,
  type Layer,
  makeConfig,
  type ResolvedConfig,
  resolveConfig,
} from "../config/config.ts";
import { findConfigFile } from "../config/config-source.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { currentFolder } from "../system/working-folder.ts";

/** The resolved configuration with the origin of each value. */
export interface TracedConfiguration extends Configuration, ResolvedConfig {}

export class ConfigurationReader {
  /** Where the command was started. Symbolic links are not resolved, so that a relinked one leads to the new release's file. */
  readonly #folder = currentFolder();
  readonly #given: readonly Layer[];
  readonly #defaults: readonly Layer[];

  /**
   * @param given layers that override the file: TSGUN_CMD_ARGS and the command line
   * @param defaults layers that the file overrides
   */
  constructor(given: readonly Layer[], defaults: readonly Layer[] = []) {
    this.#given = given;
    this.#defaults = defaults;
  }

  /** @throws FatalError (usage) that names the fault, the setting and where it was set. */
  async read(): Promise<TracedConfiguration> {
    const outside = [environmentLayer(process.env), ...this.#given];
    const defaults = [hostedLayer(process.env), ...this.#defaults];
    const { config: named } = makeConfig(outside);
    const source = named ?? findConfigFile(this.#folder);
    if (source === undefined || source === false)
      return { ...resolveConfig([...defaults, ...outside]), hooks: {} };
    const { ConfigFile } = await import("../loader/config-file.ts");
    const file = new ConfigFile(source, this.#folder);
    const { layer, hooks } = await file.read({ env: process.env });
    const { config, origins } = resolveConfig([...defaults, layer, ...outside]);
    const found = { config: "found where the command was started", ...Object.fromEntries(origins) };
    return { config: { ...config, config: file.source }, origins: new Map(Object.entries(found)), hooks };
  }
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
