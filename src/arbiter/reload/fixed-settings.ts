/** Settings that a reload cannot change. */
import type { ConfigTrace } from "../../config/config.ts";
import {
  type Config,
  SETTING_NAMES,
  type Setting,
  type SettingName,
  settingLabel,
  settings,
} from "../../config/settings.ts";
import type { ErrorLog } from "../../log/error-log.ts";

/** Where the values come from after `keepFixedSettings`. */
export function keepFixedTrace(read: ConfigTrace, current: ConfigTrace): ConfigTrace {
  const isKept = (name: string): boolean => !(settings[name as SettingName] as Setting<unknown>).reload;
  const merged = <T>(of: ReadonlyMap<string, T>, before: ReadonlyMap<string, T>): Map<string, T> =>
    new Map([...[...of].filter(([name]) => !isKept(name)), ...[...before].filter(([name]) => isKept(name))]);
  return {
    origins: merged(read.origins, current.origins),
    sources: merged(read.sources, current.sources),
  };
}

/** The configuration just read, with what a reload cannot change as it was; says so where it differs. */
export function keepFixedSettings(read: Config, current: Config, log: ErrorLog): Config {
  const kept: { [name: string]: unknown } = { ...read };
  for (const name of SETTING_NAMES) {
    const { reload, kind } = settings[name] as Setting<unknown>;
    if (reload) continue;
    const written = (value: unknown): string => (value === undefined ? "" : kind.format(value));
    if (written(read[name]) !== written(current[name])) {
      log.warning(`${settingLabel(name)} cannot be changed by a reload: restart to change it`);
    }
    kept[name] = current[name];
  }
  return kept as Config;
}
