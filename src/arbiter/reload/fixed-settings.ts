/** Settings that a reload cannot change. */
import { type Config, SETTING_NAMES, type Setting, settingLabel, settings } from "../../config/settings.ts";
import type { ErrorLog } from "../../log/error-log.ts";

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
