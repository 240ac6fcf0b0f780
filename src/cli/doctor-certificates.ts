/** Reads the certificates that the settings name, for the rules of `tsgun doctor`. Loaded only if they name some. */
import type { Config } from "../config/settings.ts";
import type { ExaminedCertificates } from "../deploy/doctor/facts.ts";
import { readAdminCertificate, readTls } from "../tls/certificate-files.ts";

export async function examineCertificates(config: Config, folder: string): Promise<ExaminedCertificates> {
  const now = Date.now();
  try {
    readAdminCertificate(config);
    const read = await readTls(config, folder);
    return { now, found: read?.material.certificates ?? [], warnings: read?.warnings ?? [] };
  } catch (error) {
    return { now, found: [], warnings: [], fault: (error as Error).message };
  }
}
