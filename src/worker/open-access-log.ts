/** Opens a worker's access log. Loads the module late, so that a start without an access log does not pay for it. */
import { nearestName } from "../config/nearest-name.ts";
import type { Config } from "../config/settings.ts";
import { ExitCode, FatalError } from "../errors.ts";
import type { Assignment } from "../ipc/messages.ts";
import type { AccessLog } from "../log/access-log.ts";
import type { ErrorLog } from "../log/error-log.ts";
import { accessLogOptions } from "../log/log-settings.ts";

/**
 * Opens the log; undefined when the assignment names none.
 *
 * @throws FatalError when it cannot be opened or its format is invalid
 */
export async function openAccessLog(
  { accessLog: target, slot, settings }: Assignment<Config>,
  log: ErrorLog,
  onDrop: () => void,
): Promise<AccessLog | undefined> {
  if (target === undefined) return undefined;
  const { AccessLog } = await import("../log/access-log.ts");
  try {
    return new AccessLog(
      accessLogOptions(settings, {
        target,
        worker: { pid: process.pid, slot, env: process.env },
        nearest: nearestName,
        onTrouble: (message) => log.error(message),
        onDrop,
      }),
    );
  } catch (error) {
    const message = `cannot open the access log: ${(error as Error).message}`;
    throw new FatalError(message, ExitCode.workerBoot, { cause: error });
  }
}
