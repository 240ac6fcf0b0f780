/**
 * A configuration is merged from layers: default < file < environment < command line. Each layer holds raw values and
 * their origins, so that an error can name the place to fix.
 */
import { ExitCode, FatalError } from "../errors.ts";
import type { TlsMaterial } from "../ipc/tls-material.ts";
import { foreignNameMessage } from "./foreign-options.ts";
import { absentMessage, absentName, ownNameOf } from "./gunicorn.ts";
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

/** The merged configuration. */
export interface Configuration {
  readonly config: Config;
  /** The hooks that the configuration file defines. */
  readonly hooks: Partial<Hooks>;
  /** The certificates and keys that its settings name, once the arbiter has read them; undefined without TLS. */
  readonly tls?: TlsMaterial | undefined;
  /** Where its values come from, for reports. */
  readonly trace?: ConfigTrace;
}

/** Where a value was set. */
export type SettingSource = "default" | "file" | "variable" | "command line";

/** Where the values of a configuration come from, by the name of the setting; one without an entry has its default. */
export interface ConfigTrace {
  /** As errors name the place: `--workers`, `WEB_CONCURRENCY in the environment`. */
  readonly origins: ReadonlyMap<string, string>;
  readonly sources: ReadonlyMap<string, SettingSource>;
}

/** Raw values from one source, by the name of the setting. */
export interface Layer {
  readonly values: { readonly [name: string]: unknown };
  /** The source of a value, for errors: `--workers`, `WEB_CONCURRENCY in the environment`. */
  origin(name: string): string;
  /** The layer is a configuration file, which cannot contain every setting. */
  readonly isFile?: boolean;
  /** Default: `file` for a configuration file, else `command line`. */
  readonly source?: SettingSource;
}

/** A configuration and the origin of each value. */
export interface ResolvedConfig extends ConfigTrace {
  readonly config: Config;
}

/**
 * Merges the layers; later ones win.
 * @throws FatalError (usage) that names the setting, the fault and the origin
 */
export function resolveConfig(layers: readonly Layer[]): ResolvedConfig {
  const config: { [name: string]: unknown } = {};
  const origins = new Map<string, string>();
  const sources = new Map<string, SettingSource>();
  for (const name of SETTING_NAMES) config[name] = settings[name].default;
  for (const layer of layers) {
    for (const [name, raw] of Object.entries(layer.values)) {
      config[name] = parseValue(name, raw, layer);
      origins.set(name, layer.origin(name));
      sources.set(name, layer.source ?? (layer.isFile === true ? "file" : "command line"));
    }
  }
  return { config: config as Config, origins, sources };
}

/** Merges the layers, without the origins. */
export function makeConfig(layers: readonly Layer[]): Config {
  return resolveConfig(layers).config;
}

function parseValue(name: string, raw: unknown, layer: Layer): unknown {
  if (!Object.hasOwn(settings, name)) throw unknownSetting(name, layer);
  const { outsideFile } = settings[name as SettingName] as Setting<unknown>;
  if (outsideFile === true && layer.isFile === true) {
    const label = settingLabel(name as SettingName);
    throw new FatalError(
      `${label} cannot be set in ${layer.origin(name)}: give it on the command line`,
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
  const ownName = ownNameOf(name);
  const foreign = ownName === undefined ? foreignNameMessage(name, origin) : undefined;
  if (foreign !== undefined) return new FatalError(foreign, ExitCode.usage);
  // People write a setting like its flag, or in snake_case as in gunicorn's files.
  const names = layer.isFile === true ? [...SETTING_NAMES, ...HOOK_NAMES] : SETTING_NAMES;
  const nearest = ownName ?? nearestName(name.replaceAll(/[-_]/g, ""), names);
  const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  return new FatalError(`there is no setting ${name} (from ${origin})${hint}`, ExitCode.usage);
}

/**
 * The layer of the environment: `TSGUN_WORKERS`, and variables that hosting platforms set, such as `WEB_CONCURRENCY`.
 * @throws FatalError (usage) for a variable that looks like a misspelt setting
 */
export function environmentLayer(environment: NodeJS.ProcessEnv): Layer {
  refuseTypos(environment);
  const values: { [name: string]: unknown } = {};
  const origins = new Map<string, string>();
  for (const name of SETTING_NAMES) {
    const variable = environmentNames(name).find((candidate) => (environment[candidate] ?? "") !== "");
    if (variable === undefined) continue;
    values[name] = environment[variable];
    origins.set(name, variable);
  }
  return { values, origin: (name) => `${origins.get(name)} in the environment`, source: "variable" };
}

/**
 * The lowest layer: hosting platforms that assign each app a port name it in `PORT` and connect from outside (gunicorn's
 * default for `bind` is the same).
 */
export function hostedLayer({ PORT }: NodeJS.ProcessEnv): Layer {
  const values = PORT === undefined || PORT === "" ? {} : { bind: [`0.0.0.0:${PORT}`] };
  return { values, origin: () => "PORT in the environment", source: "variable" };
}

const PREFIX = "TSGUN_";
/** Other variables may share the prefix (`TSGUN_RELEASE`), so only a close match counts as a typo. */
const TYPO_LIMITS = { letters: 5, tolerance: 2 };

function refuseTypos(environment: NodeJS.ProcessEnv): void {
  const known = new Set(SETTING_NAMES.flatMap(environmentNames));
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith(PREFIX) || known.has(variable) || (value ?? "") === "") continue;
    const name = variable.slice(PREFIX.length);
    const absent = absentName(name);
    if (absent !== undefined)
      throw new FatalError(absentMessage(absent, `${variable} (in the environment)`), ExitCode.usage);
    const intended = ownNameOf(name) ?? findTypo(name);
    if (intended === undefined) continue;
    const [correctName] = environmentNames(intended as SettingName);
    throw new FatalError(
      `there is no setting ${variable} (in the environment); did you mean ${correctName}?`,
      ExitCode.usage,
    );
  }
}

function findTypo(name: string): string | undefined {
  const letters = name.replaceAll("_", "");
  return letters.length < TYPO_LIMITS.letters
    ? undefined
    : nearestName(letters, SETTING_NAMES, TYPO_LIMITS.tolerance);
}
