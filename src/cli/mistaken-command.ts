/**
 * A first word that is neither a command nor an app: a command misspelt, one of `tsgun ctl` without `ctl`, or one of
 * PM2 and its kin.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { nearestName } from "../config/nearest-name.ts";
import { locate } from "../loader/locate.ts";

/** The commands, but for that without a name, which serves an app. */
export const COMMAND_NAMES = ["ctl", "dev", "init", "doctor", "completion", "help"] as const;

/** The commands of `tsgun ctl`. */
export const CONTROL_NAMES = [
  "status",
  "workers",
  "reload",
  "upgrade",
  "reopen",
  "scale",
  "restart",
  "stop",
] as const;

/** Commands of PM2, nodemon and frameworks that serve an app: here its name alone does. */
const SERVING = ["start", "run", "serve", "server", "exec"];

/** Others of theirs, and what to write here. */
const FOREIGN: Readonly<Record<string, string>> = {
  list: "tsgun ctl status",
  ls: "tsgun ctl status",
  ps: "tsgun ctl workers",
  show: "tsgun ctl workers",
  describe: "tsgun ctl workers",
  info: "tsgun ctl status",
  monit: "tsgun ctl workers",
  kill: "tsgun ctl stop --quick",
  delete: "tsgun ctl stop",
  del: "tsgun ctl stop",
  gracefulReload: "tsgun ctl reload",
  reloadLogs: "tsgun ctl reopen",
  logs: "journalctl -u UNIT, or look into --error-logfile",
  startup: "tsgun init systemd",
  save: "tsgun init systemd",
  watch: "tsgun dev APP",
  version: "tsgun --version",
};

/**
 * What is wrong with a command line whose first word is `word`; undefined where that may be an app: a file in
 * `folder`, or a package.
 *
 * @param rest the words behind it that are no options
 */
export function mistakenCommand(word: string, rest: readonly string[], folder: string): string | undefined {
  if (!/^[a-zA-Z]+$/.test(word) || isModule(word, folder)) return undefined;
  if (SERVING.includes(word)) return `there is no command ${word}: write tsgun ${rest[0] ?? "APP"}`;
  const known = commandOf(word);
  // How many workers, or which one; the names of PM2's processes have no place here.
  const numbers = rest.filter((operand) => /^\d+$/.test(operand));
  if (known !== undefined) return `there is no command ${word}: write ${[known, ...numbers].join(" ")}`;
  // A word of a few letters is near to many.
  const names = [...COMMAND_NAMES, ...CONTROL_NAMES, ...SERVING, ...Object.keys(FOREIGN)];
  const near = nearestName(word, names, word.length > 5 ? 2 : 1);
  if (near === undefined) return undefined;
  const meant = SERVING.includes(near) ? `tsgun ${rest[0] ?? "APP"}` : (commandOf(near) ?? `tsgun ${near}`);
  return `${word} is neither a command nor an app in ${folder}; did you mean ${meant}?`;
}

function commandOf(word: string): string | undefined {
  if ((CONTROL_NAMES as readonly string[]).includes(word)) return `tsgun ctl ${word}`;
  return Object.hasOwn(FOREIGN, word) ? FOREIGN[word] : undefined;
}

function isModule(word: string, folder: string): boolean {
  if (locate(word, folder).kind === "file") return true;
  try {
    createRequire(join(folder, "[app]")).resolve(word);
    return true;
  } catch (error) {
    // Any other error is one of a package that is there.
    return (error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND";
  }
}
