/**
 * The front of the arbiter: all that `cli/` may import of it. Each function loads its modules when it is called, so that
 * `tsgun --help` does not load a server.
 */
import type { Config } from "../config/settings.ts";
import type { ExitCode } from "../errors.ts";
import type { ArbiterOptions } from "./parts.ts";
import type { DaemonOptions, DaemonOutcome } from "./upgrade/daemon.ts";

export { BootReport } from "./upgrade/boot-report.ts";

/**
 * Serves until the server is stopped. Returns the exit code.
 * @throws FatalError when the server cannot start
 */
export async function runArbiter(options: ArbiterOptions): Promise<ExitCode> {
  const { Arbiter } = await import("./arbiter.ts");
  return await new Arbiter(options).run();
}

/**
 * Starts the server in the background. Returns when it serves or has failed.
 * @throws FatalError when its process cannot be started
 */
export async function startDaemon(options: DaemonOptions): Promise<DaemonOutcome> {
  const daemon = await import("./upgrade/daemon.ts");
  return await daemon.startDaemon(options);
}

/**
 * Runs the checks of a start without serving. Returns a line that confirms them.
 * @throws FatalError like the start itself
 */
export async function checkConfig(config: Config): Promise<string> {
  const check = await import("./check-config.ts");
  return await check.checkConfig(config);
}
