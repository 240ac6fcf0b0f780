/**
 * The table of all settings. The typed configuration, the command line, the environment and the help are derived from it,
 * so they cannot disagree. A setting is listed only if it works. Its parts are in `settings/`, by sections of the help.
 */
import { applicationSettings } from "./settings/application.ts";
import { http2Settings } from "./settings/http2.ts";
import { metricsSettings } from "./settings/metrics.ts";
import { networkSettings } from "./settings/network.ts";
import { operationSettings } from "./settings/operation.ts";
import { processSettings } from "./settings/processes.ts";
import { requestSettings } from "./settings/requests.ts";
import type { Setting } from "./settings/setting.ts";
import { tlsSettings } from "./settings/tls.ts";

export { MAX_WORKERS } from "./settings/processes.ts";
export { SECTIONS, type Section, type Setting } from "./settings/setting.ts";

export const settings = {
  ...applicationSettings,
  ...networkSettings,
  ...tlsSettings,
  ...http2Settings,
  ...processSettings,
  ...requestSettings,
  ...operationSettings,
  ...metricsSettings,
} as const;

export type SettingName = keyof typeof settings;

/** The configuration: every setting with its value. Durations are milliseconds, sizes are bytes. */
export type Config = {
  readonly [Name in SettingName]: (typeof settings)[Name] extends Setting<infer T> ? T : never;
};

export const SETTING_NAMES = Object.keys(settings) as SettingName[];

/** `keepAlive` → `keep-alive`: the name for users, and the flag without its dashes. */
export function settingLabel(name: SettingName): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The environment variables that set it; the first one present wins. */
export function environmentNames(name: SettingName): string[] {
  const own = `TSGUN_${settingLabel(name).toUpperCase().replaceAll("-", "_")}`;
  return [own, ...((settings[name] as Setting<unknown>).environment ?? [])];
}
