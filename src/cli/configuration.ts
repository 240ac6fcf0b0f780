/**
 * The configuration as it is now, from all its places: default < file < environment < the words in
 * TSGUN_CMD_ARGS < the command line. It is read at the start and again for each reload.
 */
import { namedFolder } from "../arbiter/setup.ts";
import { type Configuration, environmentLayer, type Layer, makeConfig } from "../config/config.ts";
import { findConfigFile } from "../config/config-source.ts";
import type { Config } from "../config/settings.ts";
import { ExitCode, FatalError } from "../errors.ts";

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
  async read(): Promise<Configuration> {
    const outside = [environmentLayer(process.env), ...this.#given];
    const { config: named } = makeConfig(outside);
    const source = named ?? findConfigFile(this.#folder);
    if (source === undefined || source === false)
      return { config: withApp(makeConfig([...this.#defaults, ...outside])), hooks: {} };
    const { ConfigFile } = await import("../loader/config-file.ts");
    const file = new ConfigFile(source, this.#folder);
    const { layer, hooks } = await file.read({ env: process.env });
    const config = makeConfig([...this.#defaults, layer, ...outside]);
    return { config: withApp({ ...config, config: file.source }), hooks };
  }
}

/** @throws FatalError (usage) */
function withApp(config: Config): Config {
  if (config.app !== undefined) return config;
  throw new FatalError(
    "no app is named: write tsgun module:name, as in tsgun app.ts:handler, or app in tsgun.config.ts",
    ExitCode.usage,
  );
}
