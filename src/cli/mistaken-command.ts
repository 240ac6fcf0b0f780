/**
 * Explains a first word that is neither a command nor an app: a misspelt command, one of `tsgun ctl` without `ctl`, or
 * one of PM2 and similar tools.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { nearestName } from "../config/nearest-name.ts";
import { locate } from "../loader/locate.ts";

/** All commands except the unnamed one, which serves an app. */
export const COMMAND_NAMES = [
  "ps",
  "top",
  "ctl",
  "why",
  "dev",
  "init",
  "doctor",
  "completion",
  "help",
] as const;

/** The commands of `tsgun ctl`. */
export const CONTROL_NAMES = [
  "status",
  "workers",
  "requests",
  "stats",
  "listeners",
  "config",
  "events",
  "logs",
  "inject",
  "stack",
  "profile",
  "heap",
  "trace",
  "reload",
  "upgrade",
  "reopen",
  "scale",
  "restart",
  "stop",
] as const;

/** Commands by which PM2, nodemon and frameworks serve an app. tsgun needs only the app's name. */
const SERVE_COMMANDS = ["start", "run", "serve", "server", "exec"];

/** Their other commands, with tsgun's equivalent. */
const FOREIGN_COMMANDS: Readonly<Record<string, string>> = {
  list: "tsgun ps",
  ls: "tsgun ps",
  show: "tsgun ctl workers",
  describe: "tsgun ctl workers",
  info: "tsgun ctl status",
  monit: "tsgun top",
  kill: "tsgun ctl stop --quick",
  delete: "tsgun ctl stop",
  del: "tsgun ctl stop",
  gracefulReload: "tsgun ctl reload",
  reloadLogs: "tsgun ctl reopen",
  startup: "tsgun init systemd",
  save: "tsgun init systemd",
  watch: "tsgun dev APP",
  version: "tsgun --version",
};

/**
 * Returns what is wrong with a command line whose first word is `word`, or undefined if that may be an app: a file
 * in `folder`, or a package.
 *
 * @param rest the following words that are not options
 */
export function mistakenCommand(word: string, rest: readonly string[], folder: string): string | undefined {
  if (!/^[a-zA-Z]+$/.test(word) || isModule(word, folder)) return undefined;
  if (SERVE_COMMANDS.includes(word)) return `there is no command ${word}: write tsgun ${rest[0] ?? "APP"}`;
  const known = commandOf(word);
  // Keep a worker count or a pid. PM2's process names have no equivalent.
  const numbers = rest.filter((operand) => /^\d+$/.test(operand));
  if (known !== undefined) return `there is no command ${word}: write ${[known, ...numbers].join(" ")}`;
  // A folder, such as a framework's dist, is no misspelt command; what to serve in it is said where it is loaded.
  if (existsSync(join(folder, word))) return undefined;
  // A short word resembles many others, so allow it fewer edits.
  const names = [...COMMAND_NAMES, ...CONTROL_NAMES, ...SERVE_COMMANDS, ...Object.keys(FOREIGN_COMMANDS)];
  const near = nearestName(word, names, word.length > 5 ? 2 : 1);
  if (near === undefined) return undefined;
  const meant = SERVE_COMMANDS.includes(near)
    ? `tsgun ${rest[0] ?? "APP"}`
    : (commandOf(near) ?? `tsgun ${near}`);
  return `${word} is neither a command nor an app in ${folder}; did you mean ${meant}?`;
}

function commandOf(word: string): string | undefined {
  if ((CONTROL_NAMES as readonly string[]).includes(word)) return `tsgun ctl ${word}`;
  return Object.hasOwn(FOREIGN_COMMANDS, word) ? FOREIGN_COMMANDS[word] : undefined;
}

function isModule(word: string, folder: string): boolean {
  if (locate(word, folder).kind === "file") return true;
  try {
    createRequire(join(folder, "[app]")).resolve(word);
    return true;
  } catch (error) {
    // Any other error means that the package exists.
    return (error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND";
  }
}
