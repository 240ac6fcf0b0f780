/** `--check-config`: runs the checks of a start without serving. */
import type { Config } from "../config/settings.ts";
import { checkAccessFormat } from "../log/log-targets.ts";
import { socketOwnership, workerIdentity } from "../system/identity.ts";
import { enterFolder } from "../system/working-folder.ts";
import { checkSyslog } from "./logs/error-file.ts";
import { checkLogFile } from "./logs/log-file.ts";
import { Logs } from "./logs/logs.ts";
import { runPreflight } from "./workers/preflight.ts";

/**
 * Returns a line that confirms the check.
 * @throws FatalError like the start itself.
 */
export async function checkConfig(config: Config): Promise<string> {
  const folder = enterFolder(config.chdir);
  const identity = workerIdentity(config);
  checkAccessFormat(config.accessLogformat);
  checkSyslog(config);
  const logs = new Logs(folder, identity).targets(config);
  if (typeof logs.errorLog === "string") checkLogFile("error-logfile", logs.errorLog);
  if (typeof logs.accessLog === "string") checkLogFile("access-logfile", logs.accessLog);
  socketOwnership(config, identity);
  const server = await runPreflight({ config, identity, folder });
  return `The configuration is good, and the app loads: ${config.app} (${server})`;
}
