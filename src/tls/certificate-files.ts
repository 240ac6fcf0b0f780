/** Reads the files of TLS that the settings name, and checks them. A fault is one line that names the setting and the file. */
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { type Config, type SettingName, settingLabel } from "../config/settings.ts";
import { ExitCode, FatalError } from "../errors.ts";
import type { CertificateMaterial, TlsMaterial } from "../ipc/tls-material.ts";
import { chainFault, invalidity, mismatch, namesOf, parseChain, parseKey } from "./certificate.ts";
import { DEFAULT_CIPHERS } from "./ciphers.ts";

export type TlsSettings = Pick<
  Config,
  | "certfile"
  | "keyfile"
  | "keyfilePassword"
  | "keyfilePasswordFile"
  | "caCerts"
  | "certReqs"
  | "ciphers"
  | "sslVersion"
>;

/** The files' content, and lines about flaws that do not prevent serving. */
export interface ReadTls {
  readonly material: TlsMaterial;
  readonly warnings: readonly string[];
}

/** Bits of a file's mode: everybody may read it, or write it. */
const OTHERS = 0o006;

/**
 * Reads everything that the settings of TLS name; undefined if they name no certificate.
 *
 * @param folder that relative names are in
 * @throws FatalError (usage) for settings that contradict each other, and files that cannot be used
 */
export async function readTls(settings: TlsSettings, folder: string): Promise<ReadTls | undefined> {
  checkCombination(settings);
  const config = inFolder(settings, folder);
  const { certfile, keyfile, caCerts, certReqs, ciphers, sslVersion } = config;
  if (certfile === undefined) return undefined;
  const passwords = readPasswords(config);
  const warnings: string[] = [];
  const certificates = certfile.map((file, index) => {
    const keyOf = keyfile?.[index];
    const keySetting = keyOf === undefined ? "certfile" : "keyfile";
    const read = readCertificate(
      { setting: "certfile", file },
      { setting: keySetting, file: keyOf ?? file },
      passwords,
    );
    warnings.push(...read.warnings);
    return read.material;
  });
  const authorities = caCerts === undefined ? undefined : readAuthorities(caCerts);
  const material = {
    certificates,
    authorities,
    clientCertificates: certReqs,
    ciphers: ciphers ?? DEFAULT_CIPHERS,
    minVersion: sslVersion,
  };
  await tryContexts(material);
  return { material, warnings };
}

function inFolder(settings: TlsSettings, folder: string): TlsSettings {
  const { certfile, keyfile, keyfilePasswordFile, caCerts } = settings;
  const absolute = (file: string): string => resolve(folder, file);
  return {
    ...settings,
    certfile: certfile?.map(absolute),
    keyfile: keyfile?.map(absolute),
    keyfilePasswordFile: keyfilePasswordFile && absolute(keyfilePasswordFile),
    caCerts: caCerts && absolute(caCerts),
  };
}

function fail(setting: SettingName, what: string, cause?: unknown): never {
  throw new FatalError(`${settingLabel(setting)}: ${what}`, ExitCode.usage, { cause });
}

function checkCombination({
  certfile,
  keyfile,
  caCerts,
  certReqs,
  keyfilePassword,
  keyfilePasswordFile,
}: TlsSettings): void {
  if (keyfile !== undefined && certfile === undefined) fail("keyfile", "there is no --certfile for it");
  if (keyfile !== undefined && keyfile.length !== certfile?.length)
    fail(
      "keyfile",
      `${keyfile.length} given for ${certfile?.length} of --certfile: give one for each, in the same order, or none`,
    );
  if (certReqs !== "none" && certfile === undefined)
    fail("certReqs", "clients show certificates by TLS only: set --certfile");
  if (certReqs !== "none" && caCerts === undefined)
    fail(
      "certReqs",
      `${certReqs} requires --ca-certs: the authorities that sign the certificates of clients`,
    );
  if (caCerts !== undefined && certReqs === "none")
    fail("caCerts", "no client is asked for a certificate: set --cert-reqs optional or required");
  if (keyfilePassword !== undefined && keyfilePasswordFile !== undefined)
    fail("keyfilePassword", "keyfile-password-file is set too: remove one");
}

/** Reads a certificate and its key. */
export function readCertificate(
  certificate: NamedFile,
  key: NamedFile,
  passwords: readonly string[],
): { readonly material: CertificateMaterial; readonly warnings: readonly string[] } {
  const chain = used(certificate, parseChain);
  const privateKey = used(key, (text) => parseKey(text, passwords));
  const wrong = mismatch(chain, privateKey);
  if (wrong !== undefined)
    fail(
      key.setting,
      `${key.file} ${wrong}${key.file === certificate.file ? "" : ` in ${certificate.file}`}`,
    );
  const [own] = chain.certificates;
  const material: CertificateMaterial = {
    file: certificate.file,
    certificate: chain.pem,
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    names: namesOf(own),
    notBefore: Date.parse(own.validFrom),
    notAfter: Date.parse(own.validTo),
  };
  const isOpen = (statSync(key.file).mode & OTHERS) !== 0;
  const faults = [invalidity(material, Date.now()), chainFault(chain)].filter((fault) => fault !== undefined);
  return {
    material,
    warnings: [
      ...faults.map((fault) => `${settingLabel(certificate.setting)}: ${certificate.file} ${fault}`),
      ...(isOpen
        ? [
            `${settingLabel(key.setting)}: other users may read or write ${key.file}, which holds a private key: chmod o= ${key.file}`,
          ]
        : []),
    ],
  };
}

export interface NamedFile {
  readonly setting: SettingName;
  readonly file: string;
}

/** @throws FatalError that names the setting and the file */
function used<T>({ setting, file }: NamedFile, parse: (text: string) => T): T {
  const text = readText({ setting, file });
  try {
    return parse(text);
  } catch (error) {
    return fail(setting, `${file} ${(error as Error).message}`, error);
  }
}

const READ_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  EACCES: "cannot be read: no permission",
  EISDIR: "is a folder",
};

function readText({ setting, file }: NamedFile): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const { code = "", message } = cause as NodeJS.ErrnoException;
    return fail(setting, `${file} ${READ_ERRORS[code] ?? `cannot be read: ${message}`}`, cause);
  }
}

/** The passwords to try on encrypted keys. */
export function readPasswords({
  keyfilePassword,
  keyfilePasswordFile: file,
}: Partial<Pick<TlsSettings, "keyfilePassword" | "keyfilePasswordFile">>): string[] {
  if (keyfilePassword !== undefined) return [keyfilePassword];
  if (file === undefined) return [];
  const lines = readText({ setting: "keyfilePasswordFile", file })
    .split(/\r?\n/)
    .filter((line) => line !== "");
  if (lines.length === 0) fail("keyfilePasswordFile", `${file} holds no password`);
  return lines;
}

export type AdminTlsSettings = Pick<Config, "adminBind"> &
  Partial<Pick<Config, "adminCertfile" | "adminKeyfile" | "keyfilePassword" | "keyfilePasswordFile">>;

/** As `tls.createSecureContext` takes it. */
export interface AdminCertificate {
  readonly cert: string;
  readonly key: string;
  readonly ciphers: string;
}

export interface ReadAdminCertificate {
  readonly certificate: AdminCertificate;
  /** Each names the setting and the file. */
  readonly warnings: readonly string[];
}

/**
 * Reads the certificate and key of the admin listener; undefined if it has none.
 * @throws FatalError (usage) that names the setting and the file
 */
export function readAdminCertificate(config: AdminTlsSettings): ReadAdminCertificate | undefined {
  const { adminBind, adminCertfile, adminKeyfile } = config;
  if (adminKeyfile !== undefined && adminCertfile === undefined)
    fail("adminKeyfile", "there is no --admin-certfile for it");
  if (adminCertfile === undefined) return undefined;
  if (adminBind === undefined) fail("adminCertfile", "there is no --admin-bind for it");
  const key: NamedFile =
    adminKeyfile === undefined
      ? { setting: "adminCertfile", file: adminCertfile }
      : { setting: "adminKeyfile", file: adminKeyfile };
  const { material, warnings } = readCertificate(
    { setting: "adminCertfile", file: adminCertfile },
    key,
    readPasswords(config),
  );
  const certificate = { cert: material.certificate, key: material.key, ciphers: DEFAULT_CIPHERS };
  return { certificate, warnings };
}

function readAuthorities(file: string): string {
  return used({ setting: "caCerts", file }, parseChain).pem;
}

/** Has OpenSSL take everything, as in a worker: it has rules of its own, on keys that are too small for instance. */
async function tryContexts(material: TlsMaterial): Promise<void> {
  const { createSecureContext } = await import("node:tls");
  const { ciphers, authorities, minVersion } = material;
  for (const { certificate, key, file } of material.certificates) {
    try {
      createSecureContext({
        cert: certificate,
        key,
        minVersion,
        ciphers,
        ...(authorities !== undefined && { ca: authorities }),
      });
    } catch (error) {
      const { code, reason, message } = error as NodeJS.ErrnoException & { reason?: string };
      if (code === "ERR_SSL_NO_CIPHER_MATCH") fail("ciphers", `OpenSSL knows none of ${ciphers}`, error);
      fail("certfile", `${file} cannot be used: ${reason ?? message}`, error);
    }
  }
}
