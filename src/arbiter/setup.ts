/** What surrounds the arbiter's life: the folder it works in, and the settings that a reload cannot change. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { type Config, SETTING_NAMES, type Setting, settingLabel, settings } from "../config/settings.ts";
import { ExitCode, FatalError } from "../errors.ts";
import type { ErrorLog } from "../log/error-log.ts";

/**
 * Goes to the folder and returns it as it was named, links in it not resolved: a worker that is started
 * later follows the link to where it leads then.
 * @throws FatalError (usage) when it is not there.
 */
export function enterFolder(chdir: string | undefined): string {
  const current = namedFolder(process.cwd(), process.env.PWD);
  if (chdir === undefined) return current;
  const folder = resolve(current, chdir);
  try {
    process.chdir(folder);
  } catch (error) {
    const why =
      (error as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such folder" : String(error);
    throw new FatalError(`chdir: cannot go to ${folder}: ${why}`, ExitCode.usage, { cause: error });
  }
  return folder;
}

/** What the server is called: `--name`, or else the app. */
export function processName(config: Config): string {
  return config.name ?? config.app ?? "";
}

/** What `ps` shows for the arbiter. */
export function arbiterTitle(config: Config): string {
  return `tsgun: arbiter [${processName(config)}]`;
}

/** The current folder as the shell calls it, if that is the same one: the system has forgotten links. */
export function namedFolder(real: string, named: string | undefined): string {
  if (named === undefined) return real;
  const a = statSync(real, { throwIfNoEntry: false });
  const b = statSync(named, { throwIfNoEntry: false });
  return a !== undefined && a.ino === b?.ino && a.dev === b.dev ? named : real;
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
