/** The content of a configuration file: settings as people write them, and hooks. */
import type { Hooks } from "./hooks.ts";
import type { Setting, SettingName, settings } from "./settings.ts";

type Written<Name extends SettingName> =
  (typeof settings)[Name] extends Setting<unknown, infer Input> ? Input : never;

/** Settings that a file cannot contain; must match `Setting.outsideFile` in the table. */
type OutsideFile = "config" | "checkConfig" | "printConfig";

/** Every setting of the table. Durations and sizes are plain seconds and bytes, or text with a unit: `"30s"`, `"10MB"`. */
export type SettingsInput = {
  readonly [Name in Exclude<SettingName, OutsideFile>]?: Written<Name> | undefined;
};

/** The content of a configuration file. */
export interface ConfigInput extends SettingsInput, Partial<Hooks> {}

/** The argument of a configuration file that exports a function. */
export interface ConfigContext {
  /** The server's environment. */
  readonly env: NodeJS.ProcessEnv;
}

/** The default export of a configuration file: an object, or a function that returns one or a promise of one. */
export type ConfigExport = ConfigInput | ((context: ConfigContext) => ConfigInput | Promise<ConfigInput>);

/** Adds types to a configuration file; returns its argument. */
export function defineConfig<const Given extends ConfigExport>(given: Given): Given {
  return given;
}
