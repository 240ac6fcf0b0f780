/** What a configuration file may say: the settings as people write them, and the hooks. */
import type { Hooks } from "./hooks.ts";
import type { Setting, SettingName, settings } from "./settings.ts";

type Written<Name extends SettingName> =
  (typeof settings)[Name] extends Setting<unknown, infer Input> ? Input : never;

/** The settings that cannot stand in a file; `Setting.outsideFile` of the table says the same. */
type OutsideFile = "config" | "checkConfig" | "printConfig";

/** Every setting of the table. Durations and sizes are plain seconds and bytes, or text with a unit: `"30s"`, `"10MB"`. */
export type SettingsInput = {
  readonly [Name in Exclude<SettingName, OutsideFile>]?: Written<Name> | undefined;
};

/** The content of a configuration file. */
export interface ConfigInput extends SettingsInput, Partial<Hooks> {}

/** What a configuration file that is a function is given. */
export interface ConfigContext {
  /** The environment of the server. */
  readonly env: NodeJS.ProcessEnv;
}

/** The default export of a configuration file: an object, or a function that returns one, or promises it. */
export type ConfigExport = ConfigInput | ((context: ConfigContext) => ConfigInput | Promise<ConfigInput>);

/** Gives a configuration file its types; returns what it is given. */
export function defineConfig<const Given extends ConfigExport>(given: Given): Given {
  return given;
}
