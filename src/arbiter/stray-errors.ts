/**
 * Uncaught errors in the arbiter. One from the configuration file or a hook is logged, and the server keeps running. One
 * from our own code ends the arbiter, like any other Node process, so that its supervisor restarts it in a known state.
 */
import { ExitCode } from "../errors.ts";
import { isOurs } from "../loader/user-frame.ts";
import type { ErrorLog } from "../log/error-log.ts";

export function outliveStrayErrors(log: ErrorLog): void {
  process.on("uncaughtException", (error: unknown, origin) => {
    const what = origin === "unhandledRejection" ? "Unhandled rejection" : "Uncaught exception";
    if (isOurs(error)) {
      log.critical(`${what}: the arbiter exits`, error);
      process.exit(ExitCode.failure);
    }
    log.error(`${what} in the configuration file or a hook: the server keeps running`, error ?? "undefined");
  });
}
