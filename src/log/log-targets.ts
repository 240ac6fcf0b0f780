/**
 * Where the logs of a configuration go, and whether they can be written there. Check this before anything depends on
 * the logs. The arbiter creates the files and the workers open them by name, as their own user.
 */
import { accessSync, closeSync, constants, existsSync, fstatSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { ExitCode, FatalError } from "../errors.ts";
import { requireDatagrams } from "../native/datagram-socket.ts";
import { AccessFormatError, compileAccessFormat, type NearestName } from "./access-format.ts";
import { followLinks, openAppending } from "./appended-file.ts";
import { type SinkTarget, sinkTarget } from "./line-sink.ts";
import { accessSyslogOptions, type SyslogSettings } from "./log-settings.ts";

export interface LogTargetSettings extends SyslogSettings {
  readonly errorLogfile: string;
  readonly accessLogfile: string | false;
}

export interface LogTargets {
  readonly errorLog: SinkTarget;
  /** Undefined if there is no access log. */
  readonly accessLog: SinkTarget | undefined;
}

const STDERR = 2;

/** Target of a log whose lines go to syslog only. */
const NULL_DEVICE = "/dev/null";

/** @param folder base of relative file names */
export function logTargets(settings: LogTargetSettings, folder: string): LogTargets {
  return { errorLog: errorTarget(settings, folder), accessLog: accessTarget(settings, folder) };
}

function errorTarget({ errorLogfile }: LogTargetSettings, folder: string): SinkTarget {
  return errorLogfile === "-" ? STDERR : absoluteTarget(errorLogfile, folder);
}

function accessTarget(settings: LogTargetSettings, folder: string): SinkTarget | undefined {
  if (settings.accessLogfile !== false) return absoluteTarget(settings.accessLogfile, folder);
  return accessSyslogOptions(settings) === undefined ? undefined : NULL_DEVICE;
}

function absoluteTarget(setting: string, folder: string): SinkTarget {
  const target = sinkTarget(setting);
  return typeof target === "number" ? target : resolve(folder, target);
}

/** The log files among the targets: not descriptors, not the null device. */
export function logFiles({ errorLog, accessLog }: LogTargets): string[] {
  const names = [errorLog, accessLog].filter((target) => typeof target === "string");
  return names.filter((name) => name !== NULL_DEVICE);
}

/**
 * Checks the log settings that name no file: the access log's format, and whether this process can reach the syslog server.
 *
 * @throws FatalError (usage)
 */
export function checkLogSettings(
  settings: SyslogSettings & { readonly accessLogformat: string },
  nearest: NearestName,
): void {
  checkAccessFormat(settings.accessLogformat, nearest);
  checkSyslog(settings);
}

function checkAccessFormat(format: string, nearest: NearestName): void {
  try {
    compileAccessFormat(format, { pid: 0, slot: 0, env: {} }, nearest);
  } catch (error) {
    if (!(error instanceof AccessFormatError)) throw error;
    throw new FatalError(`access-logformat: ${error.message}`, ExitCode.usage, { cause: error });
  }
}

function checkSyslog({ logSyslog, logSyslogTo: to }: SyslogSettings): void {
  if (!logSyslog || to.transport !== "unix" || to.type === "stream") return;
  try {
    requireDatagrams();
  } catch (error) {
    throw new FatalError(
      `log-syslog-to: datagrams to ${to.path} need the package koffi: npm install koffi, or append #stream to the path if the server accepts streams`,
      ExitCode.usage,
      { cause: error },
    );
  }
}

/**
 * Checks that this process could write the log files, without creating them.
 *
 * @throws FatalError (usage)
 */
export function checkLogFiles(targets: LogTargets): void {
  forEachFile(targets, (file) => {
    const { path } = followLinks(file);
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
  });
}

/**
 * Creates the log files that do not exist, and checks that they can be written.
 *
 * @param give makes the workers' user the owner of an open file
 * @throws FatalError (usage)
 */
export function createLogFiles(targets: LogTargets, give: (fd: number, file: string) => void): void {
  forEachFile(targets, (file) => {
    const fd = openAppending(file);
    try {
      if (fstatSync(fd).isFile()) give(fd, file);
    } finally {
      closeSync(fd);
    }
  });
}

function forEachFile({ errorLog, accessLog }: LogTargets, use: (file: string) => void): void {
  const targets = { "error-logfile": errorLog, "access-logfile": accessLog };
  for (const [setting, file] of Object.entries(targets)) {
    if (typeof file !== "string") continue;
    try {
      use(file);
    } catch (error) {
      if (error instanceof FatalError) throw error;
      const { code, message } = error as NodeJS.ErrnoException;
      const reason = code === "ENXIO" ? "no process reads this pipe" : message;
      throw new FatalError(`${setting}: cannot write ${file}: ${reason}`, ExitCode.usage, { cause: error });
    }
  }
}
