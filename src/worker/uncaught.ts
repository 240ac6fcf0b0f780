/**
 * An error that nobody catches ends the worker, as it ends every Node process; here it is told in the error log,
 * wherever that is, instead of on the standard error.
 */
import { ExitCode } from "../errors.ts";
import type { ErrorLog } from "../log/error-log.ts";

/** An app that listens for such errors itself goes on deciding what becomes of them. */
export function logUncaught(log: ErrorLog): void {
  process.on("uncaughtExceptionMonitor", (error, origin) => {
    const caught = process.listenerCount("uncaughtException") > 0;
    if (caught || process.hasUncaughtExceptionCaptureCallback()) return;
    const what = origin === "unhandledRejection" ? "Unhandled rejection" : "Uncaught exception";
    log.critical(`${what}: the worker exits`, error);
    process.exit(ExitCode.failure);
  });
}
