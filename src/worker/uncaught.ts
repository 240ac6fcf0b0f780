/**
 * Logs an uncaught error, which ends the worker as it ends every Node process, to the error log instead of standard
 * error.
 */
import { ExitCode } from "../errors.ts";
import type { ErrorLog } from "../log/error-log.ts";

/**
 * Leaves the error alone if the app listens for uncaught exceptions itself.
 * @param onUncaught called with an error that ends the worker
 */
export function logUncaught(log: ErrorLog, onUncaught: (error: unknown) => void): void {
  process.on("uncaughtExceptionMonitor", (error, origin) => {
    const caught = process.listenerCount("uncaughtException") > 0;
    if (caught || process.hasUncaughtExceptionCaptureCallback()) return;
    onUncaught(error);
    const what = origin === "unhandledRejection" ? "Unhandled rejection" : "Uncaught exception";
    log.critical(`${what}: the worker exits`, error);
    process.exit(ExitCode.failure);
  });
}
