/** Reads the certificates that the settings name, for the rules of `tsgun doctor`. Loaded only if they name some. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Config } from "../config/settings.ts";
import type { ExaminedCertificate, ExaminedCertificates, ExaminedChain } from "../deploy/doctor/facts.ts";
import { type CertificateChain, namesOf, parseChain } from "../tls/certificate.ts";
import { readAdminCertificate, readTls } from "../tls/certificate-files.ts";
import { strengthOf } from "../tls/strength.ts";

interface ReadChain extends CertificateChain {
  readonly file: string;
}

export async function examineCertificates(config: Config, folder: string): Promise<ExaminedCertificates> {
  const now = Date.now();
  const { certfile = [], caCerts, adminCertfile } = config;
  const admin = adminCertfile === undefined ? [] : chainOf(resolve(adminCertfile));
  const others = [...certfile, ...(caCerts === undefined ? [] : [caCerts])];
  const chains = [...new Set(others.map((file) => resolve(folder, file)))].flatMap(chainOf);
  const isOwn = admin.filter(({ file }) => !chains.some((chain) => chain.file === file));
  const common = { now, admin: isOwn.map(examinedOf), chains: [...chains, ...isOwn].map(strengthsOf) };
  try {
    readAdminCertificate(config);
    const read = await readTls(config, folder);
    return { ...common, found: read?.material.certificates ?? [], warnings: read?.warnings ?? [] };
  } catch (error) {
    return { ...common, found: [], warnings: [], fault: (error as Error).message };
  }
}

/** None if the file cannot be used, which is a finding of its own. */
function chainOf(file: string): ReadChain[] {
  try {
    return [{ file, ...parseChain(readFileSync(file, "utf8")) }];
  } catch {
    return [];
  }
}

function examinedOf({ file, certificates: [own] }: ReadChain): ExaminedCertificate {
  return { file, names: namesOf(own), notAfter: Date.parse(own.validTo) };
}

function strengthsOf({ file, certificates }: ReadChain): ExaminedChain {
  return { file, links: certificates.map(strengthOf) };
}
