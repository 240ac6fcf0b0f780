/**
 * `tsgun dev`: the same command with defaults for development. They form the lowest layer, so every other source
 * overrides them, and `--print-config` shows them.
 */
import type { Command } from "commander";
import type { Layer } from "../config/config.ts";
import { type Setting, type SettingName, settingLabel, settings } from "../config/settings.ts";

/** Values as in a configuration file. */
const DEFAULTS: { readonly [Name in SettingName]?: unknown } = {
  reload: true,
  showErrors: true,
  envFile: [".env?"],
  accessLogfile: "-",
  // There is only one client, so log the duration rather than the address.
  accessLogformat: '%(t)s "%(r)s" %(s)s %(b)s %(M)sms',
  // A reload need not wait for the connections of workers from earlier reloads.
  reloadSurge: 3,
  // A browser that reuses its connection must get the new code soon.
  linger: "100ms",
  gracefulTimeout: "5s",
  // The app may be stopped at a breakpoint.
  requestTimeout: "10m",
};

export const developmentLayer: Layer = { values: DEFAULTS, origin: () => "tsgun dev", source: "default" };

/**
 * Sets NODE_ENV, which frameworks, libraries and configuration files read, unless it has a value. Returns the names of
 * the variables that were set.
 */
export function enterDevelopment(environment: NodeJS.ProcessEnv): string[] {
  if (environment.NODE_ENV !== undefined) return [];
  environment.NODE_ENV = "development";
  return ["NODE_ENV"];
}

/** Gives the program the name and help of `tsgun dev`. */
export function asDevelopment(program: Command): Command {
  const names = Object.keys(DEFAULTS) as SettingName[];
  const lines = names.map((name) => {
    const { kind } = settings[name] as Setting<unknown>;
    return `  --${settingLabel(name)} ${kind.bare === true ? "" : kind.format(kind.parse(DEFAULTS[name]))}`.trimEnd();
  });
  return program
    .name("tsgun dev")
    .description(
      "Serves an application during development: it reloads when a file changes, and shows errors.",
    )
    .addHelpText(
      "after",
      `\nDefaults of tsgun dev that differ from those above:\n${lines.join("\n")}\n  NODE_ENV=development`,
    );
}
