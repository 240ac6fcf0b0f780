/**
 * Logs an uncaught error, which ends the worker as it ends every Node process, to the error log instead of standard
 * error.
 */
import { ExitCode } from "../errors.ts";
import type { ErrorLog } from "../log/error-log.ts";

export interface UncaughtListener {
  /** The error ends the worker. */
  uncaught(error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void;
  /** The app listens for such errors itself. */
  caught(error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void;
}

/** Leaves the error alone if the app listens for uncaught exceptions itself. */
export function logUncaught(log: ErrorLog, heard: UncaughtListener): void {
  process.on("uncaughtExceptionMonitor", (error, origin) => {
    const caught = process.listenerCount("uncaughtException") > 0;
    if (caught || process.hasUncaughtExceptionCaptureCallback()) {
      heard.caught(error, origin);
      return;
    }
    heard.uncaught(error, origin);
    const what = origin === "unhandledRejection" ? "Unhandled rejection" : "Uncaught exception";
    log.critical(`${what}: the worker exits`, error);
    process.exit(ExitCode.failure);
  });
}
