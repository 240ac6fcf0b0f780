/**
 * The error log as the arbiter sees it: where it goes is checked before anything is logged there, and its file is
 * made and given to the workers, who open it by its name.
 */
import { closeSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Config } from "../config/settings.ts";
import { ExitCode, FatalError } from "../errors.ts";
import type { Identity } from "../ipc/messages.ts";
import { openAppending, type SinkTarget, sinkTarget } from "../log/line-sink.ts";
import { requireDatagrams } from "../native/datagram-socket.ts";
import { giveFile } from "./identity.ts";

const STDERR = 2;

/** Where the error log of a configuration goes. */
export function errorTarget(config: Pick<Config, "errorLogfile">, folder: string): SinkTarget {
  if (config.errorLogfile === "-") return STDERR;
  const target = sinkTarget(config.errorLogfile);
  return typeof target === "number" ? target : resolve(folder, target);
}

/**
 * Makes sure that the error log of a configuration can be written.
 *
 * @throws FatalError (usage) for a file that cannot be written and a syslog server that cannot be spoken to.
 */
export function prepareErrorLog(config: Config, folder: string, identity: Identity): void {
  const target = errorTarget(config, folder);
  if (typeof target === "string") makeFile(target, identity);
  if (config.logSyslog) checkSyslog(config);
}

function makeFile(file: string, identity: Identity): void {
  try {
    closeSync(openAppending(file));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENXIO" ? "nobody reads this pipe" : message;
    throw new FatalError(`error-logfile: cannot write ${file}: ${why}`, ExitCode.usage, { cause: error });
  }
  if (statSync(file).isFile()) giveFile(file, identity);
}

function checkSyslog({ logSyslogTo: to }: Config): void {
  if (to.transport !== "unix" || to.type === "stream") return;
  try {
    requireDatagrams();
  } catch (error) {
    throw new FatalError(
      `log-syslog-to: datagrams to ${to.path} need the package koffi: npm install koffi, or write #stream behind the path if the server takes streams`,
      ExitCode.usage,
      { cause: error },
    );
  }
}
