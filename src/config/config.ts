/**
 * A configuration is made of layers: default < file < environment < command line. Each layer holds raw values
 * and says where each came from, so that an error can name the place to mend.
 */
import { ExitCode, FatalError } from "../errors.ts";
import { foreignNameMessage } from "./foreign-options.ts";
import { absentMessage, absentName, renamed } from "./gunicorn.ts";
import { HOOK_NAMES, type Hooks } from "./hooks.ts";
import { nearestName } from "./nearest-name.ts";
import {
  type Config,
  environmentNames,
  SETTING_NAMES,
  type Setting,
  type SettingName,
  settingLabel,
  settings,
} from "./settings.ts";

/** What the places say together. */
export interface Configuration {
  readonly config: Config;
  /** The functions of the configuration file that stand under the name of a hook. */
  readonly hooks: Partial<Hooks>;
}

/** Raw values from one place, under the names of the settings. */
export interface Layer {
  readonly values: { readonly [name: string]: unknown };
  /** How the place of a value is called in an error: `--workers`, `WEB_CONCURRENCY in the environment`. */
  origin(name: string): string;
  /** It is a configuration file, where not everything can stand. */
  readonly isFile?: boolean;
}

/** A configuration, and where each value comes from. */
export interface ResolvedConfig {
  readonly config: Config;
  /** By the name of the setting; what is not here is the default. */
  readonly origins: ReadonlyMap<string, string>;
}

/**
 * The configuration that the layers make; a later layer wins.
 * @throws FatalError (usage) that names the setting, what is wrong with it and where it was set.
 */
export function resolveConfig(layers: readonly Layer[]): ResolvedConfig {
  const config: { [name: string]: unknown } = {};
  const origins = new Map<string, string>();
  for (const name of SETTING_NAMES) config[name] = settings[name].default;
  for (const layer of layers) {
    for (const [name, raw] of Object.entries(layer.values)) {
      config[name] = parseValue(name, raw, layer);
      origins.set(name, layer.origin(name));
    }
  }
  return { config: config as Config, origins };
}

/** The configuration alone. */
export function makeConfig(layers: readonly Layer[]): Config {
  return resolveConfig(layers).config;
}

function parseValue(name: string, raw: unknown, layer: Layer): unknown {
  if (!Object.hasOwn(settings, name)) throw unknownSetting(name, layer);
  const { outsideFile } = settings[name as SettingName] as Setting<unknown>;
  if (outsideFile === true && layer.isFile === true) {
    const label = settingLabel(name as SettingName);
    throw new FatalError(
      `${label} cannot stand in ${layer.origin(name)}: give it on the command line`,
      ExitCode.usage,
    );
  }
  try {
    return (settings[name as SettingName] as Setting<unknown>).kind.parse(raw);
  } catch (error) {
    const label = settingLabel(name as SettingName);
    throw new FatalError(
      `${label}: ${(error as Error).message} (from ${layer.origin(name)})`,
      ExitCode.usage,
      { cause: error },
    );
  }
}

function unknownSetting(name: string, layer: Layer): FatalError {
  const origin = layer.origin(name);
  const absent = absentName(name);
  if (absent !== undefined)
    return new FatalError(absentMessage(absent, `${name} (from ${origin})`), ExitCode.usage);
  const theirs = renamed(name);
  const foreign = theirs === undefined ? foreignNameMessage(name, origin) : undefined;
  if (foreign !== undefined) return new FatalError(foreign, ExitCode.usage);
  // Some write a setting as its flag, others as gunicorn's files do.
  const names = layer.isFile === true ? [...SETTING_NAMES, ...HOOK_NAMES] : SETTING_NAMES;
  const nearest = theirs ?? nearestName(name.replaceAll(/[-_]/g, ""), names);
  const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  return new FatalError(`there is no setting ${name} (from ${origin})${hint}`, ExitCode.usage);
}

/**
 * The layer of the environment: `TSGUN_WORKERS`, and what hosts set by habit, such as `WEB_CONCURRENCY`.
 * @throws FatalError (usage) for a variable that is meant to be one of these, and is not.
 */
export function environmentLayer(environment: NodeJS.ProcessEnv): Layer {
  refuseMistyped(environment);
  const values: { [name: string]: unknown } = {};
  const origins = new Map<string, string>();
  for (const name of SETTING_NAMES) {
    const variable = environmentNames(name).find((candidate) => (environment[candidate] ?? "") !== "");
    if (variable === undefined) continue;
    values[name] = environment[variable];
    origins.set(name, variable);
  }
  return { values, origin: (name) => `${origins.get(name)} in the environment` };
}

/**
 * The layer behind all others: hosts that give each app a port say which in `PORT`, and reach it from outside
 * (gunicorn's default of `bind` is the same).
 */
export function hostedLayer({ PORT }: NodeJS.ProcessEnv): Layer {
  const values = PORT === undefined || PORT === "" ? {} : { bind: [`0.0.0.0:${PORT}`] };
  return { values, origin: () => "PORT in the environment" };
}

const PREFIX = "TSGUN_";
/** The prefix may be on variables that are none of ours (`TSGUN_RELEASE`): only what is hardly wrong is a typo. */
const TYPO = { letters: 5, tolerance: 2 };

function refuseMistyped(environment: NodeJS.ProcessEnv): void {
  const known = new Set(SETTING_NAMES.flatMap(environmentNames));
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith(PREFIX) || known.has(variable) || (value ?? "") === "") continue;
    const name = variable.slice(PREFIX.length);
    const absent = absentName(name);
    if (absent !== undefined)
      throw new FatalError(absentMessage(absent, `${variable} (in the environment)`), ExitCode.usage);
    const meant = renamed(name) ?? mistyped(name);
    if (meant === undefined) continue;
    const [right] = environmentNames(meant as SettingName);
    throw new FatalError(
      `there is no setting ${variable} (in the environment); did you mean ${right}?`,
      ExitCode.usage,
    );
  }
}

function mistyped(name: string): string | undefined {
  const letters = name.replaceAll("_", "");
  return letters.length < TYPO.letters ? undefined : nearestName(letters, SETTING_NAMES, TYPO.tolerance);
}
