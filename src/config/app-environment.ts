/** The meaning of the environment for the app, for the log at the start and for `tsgun doctor`. */
import { type Config, environmentNames, SETTING_NAMES } from "./settings.ts";

/** Why NODE_ENV should be `production`: what Express and what is based on it do otherwise. */
export const SHOWN_STACKS = "Express responds to an error with its stack unless NODE_ENV is production";

type Environment = Readonly<Record<string, string | undefined>>;

/** NODE_ENV as the app sees it; undefined if it is unset or empty. */
export function nodeEnvOf(
  { env }: Pick<Config, "env">,
  outside: Environment = process.env,
): string | undefined {
  return (env?.NODE_ENV ?? outside.NODE_ENV) || undefined;
}

/** Variables that would set tsgun's settings, but are given to the app alone. */
export function settingsForTheApp({ env = {} }: Pick<Config, "env">): string[] {
  const own = new Set(SETTING_NAMES.flatMap(environmentNames));
  return Object.keys(env).filter((name) => name.startsWith("TSGUN_") && own.has(name));
}
