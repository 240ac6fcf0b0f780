/**
 * The configuration as it is now, from all its places: default < file < environment < the words in
 * TSGUN_CMD_ARGS < the command line. It is read at the start and again for each reload.
 */
import { namedFolder } from "../arbiter/setup.ts";
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

/** What the places say together, and which of them said what. */
export interface TracedConfiguration extends Configuration, ResolvedConfig {}

export class ConfigurationReader {
  /** Where the command was started, links not resolved: a moved one leads to the file of the new release. */
  readonly #folder = namedFolder(process.cwd(), process.env.PWD);
  readonly #given: readonly Layer[];
  readonly #defaults: readonly Layer[];

  /**
   * @param given what stands before the file: the words in the environment, and the command line.
   * @param defaults what stands behind it
   */
  constructor(given: readonly Layer[], defaults: readonly Layer[] = []) {
    this.#given = given;
    this.#defaults = defaults;
  }

  /** @throws FatalError (usage) that says what is wrong, in which setting, and where it was set. */
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

/** @throws FatalError (usage) when no app is named. */
export function requireApp<Read extends Configuration>(read: Read): Read {
  if (read.config.app !== undefined) return read;
  throw new FatalError(
    "no app is named: write tsgun module:name, as in tsgun app.ts:handler, or app in tsgun.config.ts",
    ExitCode.usage,
  );
}
