/**
 * `tsgun dev`: the same command, with the defaults of somebody who writes the app. They stand below every other
 * place that sets something, so whatever is given wins, and `--print-config` names them.
 */
import type { Command } from "commander";
import type { Layer } from "../config/config.ts";
import { type Setting, type SettingName, settingLabel, settings } from "../config/settings.ts";

/** As they would be written in a configuration file. */
const DEFAULTS: { readonly [Name in SettingName]?: unknown } = {
  reload: true,
  showErrors: true,
  accessLogfile: "-",
  // Nobody else asks; how long it took is worth more than who it was.
  accessLogformat: '%(t)s "%(r)s" %(s)s %(b)s %(M)sms',
  // The next reload does not wait until the worker before the last one has let its connections go.
  reloadSurge: 3,
  // A browser that asks again on its old connection is to see the new code.
  linger: "100ms",
  gracefulTimeout: "5s",
  // Somebody may sit at a breakpoint.
  requestTimeout: "10m",
};

export const developmentLayer: Layer = { values: DEFAULTS, origin: () => "tsgun dev" };

/** Frameworks and libraries ask this variable, and so may a configuration file. One that is set stands. */
export function enterDevelopment(environment: NodeJS.ProcessEnv): void {
  environment.NODE_ENV ??= "development";
}

/** The program as `tsgun dev`: its name, and what is different in its help. */
export function asDevelopment(program: Command): Command {
  const names = Object.keys(DEFAULTS) as SettingName[];
  const lines = names.map((name) => {
    const { kind } = settings[name] as Setting<unknown>;
    return `  --${settingLabel(name)} ${kind.bare === true ? "" : kind.format(kind.parse(DEFAULTS[name]))}`.trimEnd();
  });
  return program
    .name("tsgun dev")
    .description(
      "Serves an application for whoever writes it: it is reloaded when a file changes, and errors are shown.",
    )
    .addHelpText(
      "after",
      `\nOther defaults than those above, of tsgun dev:\n${lines.join("\n")}\n  NODE_ENV=development`,
    );
}
