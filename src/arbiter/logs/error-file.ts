/**
 * The error log of a configuration: where it goes, which is checked before anything is logged there.
 */
import { resolve } from "node:path";
import type { Config } from "../../config/settings.ts";
import { ExitCode, FatalError } from "../../errors.ts";
import type { Identity } from "../../ipc/messages.ts";
import { type SinkTarget, sinkTarget } from "../../log/line-sink.ts";
import { requireDatagrams } from "../../native/datagram-socket.ts";
import { makeLogFile } from "./log-file.ts";

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
  if (typeof target === "string") makeLogFile("error-logfile", target, identity);
  checkSyslog(config);
}

/** @throws FatalError (usage) for a syslog server that this process cannot speak to. */
export function checkSyslog({ logSyslog, logSyslogTo: to }: Config): void {
  if (!logSyslog || to.transport !== "unix" || to.type === "stream") return;
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
