/**
 * Errors that nobody catches, in the process that must not end for the mistake of a hook: what comes from the code
 * of the configuration is logged, and the server goes on. What comes from our own ends the arbiter, as any other
 * Node process: whoever supervises it starts it anew, in a state that is known.
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
    log.error(`${what} in the configuration file or a hook: the server goes on`, error ?? "undefined");
  });
}
