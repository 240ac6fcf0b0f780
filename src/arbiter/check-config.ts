/** `--check-config`: runs the checks of a start without serving. */
import { nearestName } from "../config/nearest-name.ts";
import type { Config } from "../config/settings.ts";
import { tooManyWorkers } from "../config/worker-addresses.ts";
import { readAdminToken } from "../control/dashboard/admin-token.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { checkLogFiles, checkLogSettings, logTargets } from "../log/log-targets.ts";
import { workerCount } from "../system/cpu-limit.ts";
import { socketOwnership, workerIdentity } from "../system/identity.ts";
import { enterFolder } from "../system/working-folder.ts";
import { namesTls } from "./tls/server-certificates.ts";
import { runPreflight } from "./workers/preflight.ts";

/**
 * Returns a line that confirms the check.
 * @throws FatalError like the start itself.
 */
export async function checkConfig(config: Config): Promise<string> {
  const folder = enterFolder(config.chdir);
  const identity = workerIdentity(config);
  const lack = tooManyWorkers(config.workerBind, workerCount(config.workers));
  if (lack !== undefined) throw new FatalError(lack, ExitCode.usage);
  checkLogSettings(config, nearestName);
  checkLogFiles(logTargets(config, folder));
  socketOwnership(config, identity);
  readAdminToken(config);
  await checkCertificates(config, folder);
  const server = await runPreflight({ config, identity, folder });
  return `The configuration is valid and the app loads: ${config.app} (${server})`;
}

async function checkCertificates(config: Config, folder: string): Promise<void> {
  const { adminCertfile, adminKeyfile } = config;
  if (!namesTls(config) && adminCertfile === undefined && adminKeyfile === undefined) return;
  const { readAdminCertificate, readTls } = await import("../tls/certificate-files.ts");
  readAdminCertificate(config);
  const expired = (await readTls(config, folder))?.material.certificates.find(
    ({ notAfter }) => notAfter < Date.now(),
  );
  if (expired !== undefined) throw new FatalError(`certfile: ${expired.file} has expired`, ExitCode.usage);
}
