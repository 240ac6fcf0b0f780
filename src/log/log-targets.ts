/**
 * The access log of a configuration. The arbiter writes none, but the format and the file are checked before any
 * worker is started with them.
 */
import { resolve } from "node:path";
import { makeLogFile } from "../arbiter/logs/log-file.ts";
import { nearestName } from "../config/nearest-name.ts";
import type { Config } from "../config/settings.ts";
import { ExitCode, FatalError } from "../errors.ts";
import type { Identity } from "../ipc/messages.ts";
import { AccessFormatError, compileAccessFormat } from "./access-format.ts";
import { type SinkTarget, sinkTarget } from "./line-sink.ts";
import { accessSyslog } from "./log-settings.ts";

/** Where lines go that syslog alone is to have. */
export const NOWHERE = "/dev/null";

/** Where the access log of a configuration goes; undefined where there is none. */
export function accessTarget(config: Config, folder: string): SinkTarget | undefined {
  if (config.accessLogfile === false) return accessSyslog(config) === undefined ? undefined : NOWHERE;
  const target = sinkTarget(config.accessLogfile);
  return typeof target === "number" ? target : resolve(folder, target);
}

/**
 * Makes sure that workers can write the access log of a configuration.
 *
 * @throws FatalError (usage) for a format that cannot be understood and a file that cannot be written.
 */
export function prepareAccessLog(config: Config, folder: string, identity: Identity): void {
  checkAccessFormat(config.accessLogformat);
  const target = accessTarget(config, folder);
  if (typeof target === "string") makeLogFile("access-logfile", target, identity);
}

/** @throws FatalError (usage) for a format that cannot be understood. */
export function checkAccessFormat(format: string): void {
  try {
    compileAccessFormat(format, { pid: 0, slot: 0, env: {} }, nearestName);
  } catch (error) {
    if (!(error instanceof AccessFormatError)) throw error;
    throw new FatalError(`access-logformat: ${error.message}`, ExitCode.usage, { cause: error });
  }
}
