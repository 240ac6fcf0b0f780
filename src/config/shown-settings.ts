/** The configuration as people may see it: each setting with its value and origin, and nothing secret. */
import type { ConfigTrace, SettingSource } from "./config.ts";
import { shownApp } from "./process-title.ts";
import {
  type Config,
  SETTING_NAMES,
  type Setting,
  type SettingName,
  settingLabel,
  settings,
} from "./settings.ts";

export interface ShownSetting {
  readonly name: SettingName;
  /** As on the command line: `keep-alive`. */
  readonly label: string;
  /** As people write it; "" for none. */
  readonly value: string;
  readonly source: SettingSource;
  /** `--keep-alive`, `default`. */
  readonly origin: string;
}

export interface ShowOptions {
  /** Stands for what is hidden. */
  readonly hidden: string;
  /** Whether the value of a variable of `env` is hidden. */
  hidesVariable(name: string): boolean;
}

/** User and password in a URL, up to the last @ before the path: a password may hold one. */
const USER_INFO = /(:\/\/)[^/\s"']+@/g;

/** Returns every setting, in the order of the table. */
export function shownSettings(
  config: Config,
  { origins, sources }: ConfigTrace,
  options: ShowOptions,
): ShownSetting[] {
  return SETTING_NAMES.map((name) => ({
    name,
    label: settingLabel(name),
    value: shownValue(name, config[name], options),
    source: sources.get(name) ?? "default",
    origin: origins.get(name) ?? "default",
  }));
}

function shownValue(name: SettingName, value: unknown, options: ShowOptions): string {
  const { hidden } = options;
  if (value === undefined) return "";
  if (name === "env")
    return Object.entries(value as Record<string, string>)
      .map((pair) => shownVariable(pair, options))
      .join(" ");
  const { kind, secret } = settings[name] as Setting<unknown>;
  if (secret === true) return hidden;
  const text = kind.format(value);
  return withoutUser(name === "app" ? shownApp(text, hidden) : text, hidden);
}

function shownVariable([name, value]: [string, string], { hidden, hidesVariable }: ShowOptions): string {
  const shown = hidesVariable(name) ? hidden : withoutUser(value, hidden);
  return `${name}=${/\s/.test(shown) ? JSON.stringify(shown) : shown}`;
}

function withoutUser(text: string, hidden: string): string {
  return text.replaceAll(USER_INFO, `$1${hidden}@`);
}
